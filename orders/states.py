"""The life of an order as data: moves, the exception flag, holds, and what each state is to people and to version 1.

docs/STATES.md is generated from here; nothing else defines a state.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.states import StateTable

AWAITING_DEPOSIT, CONFIRMING, EXCHANGING, PAYING, SENT, COMPLETED = (
    "AWAITING_DEPOSIT",
    "CONFIRMING",
    "EXCHANGING",
    "PAYING",
    "SENT",
    "COMPLETED",
)
EXPIRED, REFUNDING, REFUND_FAILED, REFUNDED = "EXPIRED", "REFUNDING", "REFUND_FAILED", "REFUNDED"
RESTING = (COMPLETED, EXPIRED, REFUNDED)  # nothing is under way: only a deposit, or a person, moves it again

ORDER = StateTable(
    "order",
    initial=AWAITING_DEPOSIT,
    moves={
        # EXPIRED from any later state: the chain lost the deposit for good before anything was paid (orders.lost).
        AWAITING_DEPOSIT: frozenset({CONFIRMING, EXPIRED}),
        # Back to AWAITING_DEPOSIT when the chain no longer knows the deposit; also here while a deposit is WAITING.
        CONFIRMING: frozenset({EXCHANGING, AWAITING_DEPOSIT, REFUNDING, EXPIRED}),
        EXCHANGING: frozenset({PAYING, REFUNDING, EXPIRED}),
        PAYING: frozenset({SENT, COMPLETED, EXPIRED, REFUNDING}),  # REFUNDING: nothing was signed until the deadline
        SENT: frozenset({COMPLETED}),
        COMPLETED: frozenset(),
        EXPIRED: frozenset({CONFIRMING}),  # a late deposit re-enters
        REFUNDING: frozenset({REFUNDED, REFUND_FAILED, EXPIRED}),
        REFUND_FAILED: frozenset({REFUNDING, EXPIRED}),
        REFUNDED: frozenset({REFUNDING}),  # one more deposit came after the refund and is sent back too
    },
)

NONE, PAID_LATE, UNDERPAID, OVERPAID, SECOND, REORG = "NONE", "PAID_LATE", "UNDERPAID", "OVERPAID", "SECOND", "REORG"
EXCEPTIONS = (NONE, PAID_LATE, UNDERPAID, OVERPAID, SECOND, REORG)

LIQUIDITY, ADDRESS = "LIQUIDITY", "ADDRESS"
HOLDS = ("", LIQUIDITY, ADDRESS)
NO_HOLD = ""

CUSTOMER, MACHINE, OPERATOR, NOBODY = "customer", "machine", "operator", ""


@dataclass(frozen=True, slots=True)
class Face:
    """How a state looks from outside: `step` 1-4 on the page (0: not on the way), `v1` number and its name there."""

    step: int
    v1: int
    v1_name: str
    label: Promise


FACES: dict[str, Face] = {
    AWAITING_DEPOSIT: Face(1, 11, "INITIAL", _("Awaiting deposit")),
    CONFIRMING: Face(2, 12, "UNCONFIRMED PAYMENT", _("Confirming")),
    EXCHANGING: Face(3, 13, "PAID", _("Exchanging")),
    PAYING: Face(3, 14, "PRE-RELEASE", _("Paying")),
    SENT: Face(4, 15, "RELEASED", _("Sent")),
    COMPLETED: Face(4, 16, "COMPLETED", _("Completed")),
    EXPIRED: Face(0, 0, "CANCELED", _("Expired")),
    REFUNDING: Face(0, 6, "INITIATED REFUND", _("Refunding")),
    REFUND_FAILED: Face(0, 7, "REFUND FAILED", _("Refund failed")),
    REFUNDED: Face(0, 8, "REFUNDED", _("Refunded")),
}
