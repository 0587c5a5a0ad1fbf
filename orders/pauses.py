"""Why an asset is not sold just now: stable codes, and their words for customers.

The words say what concerns a customer; what exactly is wrong is for the operator (`manage.py offer`, /health/ details).
"""

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Reason(StrEnum):
    """A cause that pauses what needs it. Codes never change: clients and alarms know them."""

    CLOCK = "clock_off"  # this process's clock is too far from the database's
    PRICES_SILENT = "prices_silent"  # no round of prices was stored lately
    WORKER_SILENT = "worker_silent"  # the worker of prices, deadlines and events takes no turns
    DEADLINES_SILENT = "deadlines_silent"
    EVENTS_SILENT = "events_silent"
    NEVER_SCANNED = "chain_not_scanned"
    NODE_PROBLEM = "chain_problem"  # the node is away, on another chain, behind, alone, or could not be read
    SET_ASIDE = "set_aside"  # the next step of a deposit or payout of ours failed (manage.py quarantine)
    SCAN_SILENT = "scan_silent"  # the chain was not read to its tip lately
    SCAN_OLD = "scan_old"  # the last finished scan began too long ago
    ORDERS_SILENT = "orders_silent"  # the orders of the chain are not moved on
    PAYOUTS_SILENT = "payouts_silent"  # nothing signs and sends
    PAYOUTS_WAITING = "payouts_waiting"  # the oldest payout waits too long to be signed or taken by a node
    LANE_STUCK = "lane_stuck"  # the lowest nonce is not mined, and what follows waits behind it
    FROZEN = "payouts_frozen"
    FUNDING_FROZEN = "deposits_frozen"  # payouts that this asset's deposits fund are frozen
    UNRECONCILED = "reconcile_silent"  # the books were not held against the chain lately


_ASKED = _("our view of the network is incomplete at the moment")
_PAYING = _("our payouts are delayed at the moment")
_INSIDE = _("a part of our system is being restarted")

WORDS: dict[Reason, Promise] = {
    Reason.CLOCK: _INSIDE,
    Reason.PRICES_SILENT: _("our prices are not being renewed at the moment"),
    Reason.WORKER_SILENT: _INSIDE,
    Reason.DEADLINES_SILENT: _INSIDE,
    Reason.EVENTS_SILENT: _INSIDE,
    Reason.NEVER_SCANNED: _ASKED,
    Reason.NODE_PROBLEM: _ASKED,
    Reason.SCAN_SILENT: _ASKED,
    Reason.SCAN_OLD: _ASKED,
    Reason.ORDERS_SILENT: _INSIDE,
    Reason.PAYOUTS_SILENT: _PAYING,
    Reason.PAYOUTS_WAITING: _PAYING,
    Reason.LANE_STUCK: _PAYING,
    Reason.FROZEN: _("our payouts are stopped for a check"),
    Reason.UNRECONCILED: _("our books are being checked"),
    Reason.SET_ASIDE: _PAYING,
    Reason.FUNDING_FROZEN: _("deposits are being checked by our team"),
}


@dataclass(frozen=True, slots=True)
class Pause:
    """One cause, the asset it stops, and what an operator needs to know besides; `detail` is never shown to customers."""

    reason: Reason
    asset: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.asset} {self.reason}" + (f" ({self.detail})" if self.detail else "")
