"""Why an asset is not sold just now: what pauses it, as stable codes with their words for customers.

The words say what concerns a customer; what exactly is wrong is for the operator (`manage.py offer`, /health/ details).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.heartbeat import grace_s
from core.money import Money
from orders.facts import Facts, Side
from ticker.models import Pair
from wallets.freeze import ALL, funded_from
from wallets.paying.fees import fee_cap


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
    SIGNER_SILENT = "signer_silent"  # the process with the keys takes no turns, or its journal has lost lines
    CEILING = "ceiling_reached"  # the signer lets go less than the least order before a person approves it
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
    Reason.SIGNER_SILENT: _PAYING,
    Reason.CEILING: _("we have paid out as much as we do within an hour or a day without a check by our team"),
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


def find_pauses(pair: Pair, facts: Facts, *, at: datetime) -> Iterator[Pause]:
    """Yield every cause that keeps `pair` from being sold, the gravest first; pure."""
    yield from _pauses_of_site(facts)
    for code in (pair.base_id, pair.quote_id):
        if code in facts.sides:
            yield from _pauses_of_chain(facts.sides[code], facts, at)
    if pair.base_id in facts.sides:
        yield from _pauses_of_payouts(facts.sides[pair.base_id], facts, at)
        yield from _pauses_of_ceilings(facts.sides[pair.base_id], pair)
    if funded_from(pair.quote_id) in facts.frozen:
        yield Pause(Reason.FUNDING_FROZEN, pair.quote_id)


def clock_is_off(facts: Facts) -> bool:
    """Say whether the clock of the process that read these facts is further from the database's than is published; pure."""
    return abs(facts.clock_off_s) > settings.CLOCK_LIMIT_S


def _pauses_of_site(facts: Facts) -> Iterator[Pause]:
    if clock_is_off(facts):
        yield Pause(Reason.CLOCK, ALL, f"{facts.clock_off_s:+.1f} s")
    works = {
        "default": Reason.WORKER_SILENT,
        "prices": Reason.PRICES_SILENT,
        "deadlines": Reason.DEADLINES_SILENT,
        "publish": Reason.EVENTS_SILENT,
    }
    yield from (_silent(reason, ALL, name, facts) for name, reason in works.items() if facts.is_silent(name))


def _pauses_of_chain(side: Side, facts: Facts, at: datetime) -> Iterator[Pause]:
    """Both sides' chains must be read: deposits of the one, payouts of the other."""
    asset, chain = side.asset.code, side.asset.network
    if side.problem:
        yield Pause(Reason.NODE_PROBLEM, asset, side.problem)
    if not side.scanned or side.scan_started_at is None:
        yield Pause(Reason.NEVER_SCANNED, asset)
        return
    if side.set_aside:
        yield Pause(Reason.SET_ASIDE, asset, f"{side.set_aside} in quarantine")
    if facts.is_silent(f"scan:{chain}"):
        yield _silent(Reason.SCAN_SILENT, asset, f"scan:{chain}", facts)
    if at - side.scan_started_at > timedelta(seconds=max(settings.SCAN_LIMIT_S, grace_s(facts.ages))):
        yield Pause(Reason.SCAN_OLD, asset, f"began {side.scan_started_at.isoformat()}")
    if facts.is_silent(f"orders:{chain}"):
        yield _silent(Reason.ORDERS_SILENT, asset, f"orders:{chain}", facts)
    if facts.is_silent(f"reconcile:{asset}"):
        yield _silent(Reason.UNRECONCILED, asset, f"reconcile:{asset}", facts)


def _pauses_of_payouts(side: Side, facts: Facts, at: datetime) -> Iterator[Pause]:
    asset, chain = side.asset.code, side.asset.network
    if {ALL, asset} & facts.frozen:
        yield Pause(Reason.FROZEN, asset, ", ".join(sorted({ALL, asset} & facts.frozen)))
    if facts.is_silent(f"pay:{chain}"):
        yield _silent(Reason.PAYOUTS_SILENT, asset, f"pay:{chain}", facts)
    if facts.is_silent(f"signer:{chain}"):
        yield _silent(Reason.SIGNER_SILENT, asset, f"signer:{chain}", facts)
    elif side.ceilings is None and not grace_s(facts.ages):
        yield Pause(Reason.SIGNER_SILENT, asset, "it has never said what it lets go")
    waiting = min((since for since in (side.untried_since, side.unsent_since) if since), default=None)
    if waiting and at - waiting > timedelta(seconds=max(settings.UNSENT_LIMIT_S, grace_s(facts.ages))):
        yield Pause(Reason.PAYOUTS_WAITING, asset, f"since {waiting.isoformat()}")
    if side.lane_since and at - side.lane_since > timedelta(seconds=settings.LANE_LIMIT_S):
        yield Pause(Reason.LANE_STUCK, asset, f"since {side.lane_since.isoformat()}")


def _pauses_of_ceilings(side: Side, pair: Pair) -> Iterator[Pause]:
    """Less than the asset's least amount can be signed without a person."""
    left = side.left_to_sign(pair.quote.network)
    if left is None or side.ceilings is None:
        return
    most = min(left, side.ceilings.payout) - fee_cap(side.asset, side.fee_rate_minor).minor
    if most < max(side.asset.minimum_minor, side.asset.quote_step):
        yield Pause(Reason.CEILING, side.asset.code, f"{Money(max(most, 0), side.asset)} can be signed for {pair.name}")


def _silent(reason: Reason, asset: str, name: str, facts: Facts) -> Pause:
    age = facts.ages.get(name)
    return Pause(reason, asset, f"{name}: " + ("never" if age is None else f"{age:.0f} s ago"))
