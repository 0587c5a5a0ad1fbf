"""The life of deposits, payouts and attempts as tables; docs/STATES.md is generated from them."""

from core.states import StateTable

SEEN, CONFIRMED, REMOVED = "SEEN", "CONFIRMED", "REMOVED"

DEPOSIT = StateTable(
    "deposit",
    initial=SEEN,
    moves={
        SEEN: frozenset({CONFIRMED, REMOVED}),
        CONFIRMED: frozenset({REMOVED}),  # a reorganisation deeper than the tolerated one
        REMOVED: frozenset({SEEN}),  # mined again, or back in the mempool
    },
)

CREDIT, WAITING, REFUND, DUST = "CREDIT", "WAITING", "REFUND", "DUST"

DISPOSITION = StateTable(
    "disposition",
    initial="",
    moves={
        "": frozenset({CREDIT, WAITING, DUST}),
        WAITING: frozenset({CREDIT, REFUND, DUST}),
        # REFUND only when the exchange was taken back because we had no coins to pay it; WAITING only when it was taken
        # back because the chain had lost the deposit, which then came back.
        CREDIT: frozenset({REFUND, WAITING}),
        REFUND: frozenset(),
        DUST: frozenset(),
    },
)

REQUESTED, SIGNED, BROADCAST, IN_DOUBT, REJECTED, REVERTED = (
    "REQUESTED",
    "SIGNED",
    "BROADCAST",
    "IN_DOUBT",
    "REJECTED",
    "REVERTED",
)

PAYOUT = StateTable(
    "payout",
    initial=REQUESTED,
    moves={
        REQUESTED: frozenset({SIGNED, REJECTED}),  # refused by us, before anything was signed
        # Back to REQUESTED only once every attempt is proven dead: another transaction has, at payout depth, spent what
        # each of them spends.
        SIGNED: frozenset({BROADCAST, CONFIRMED, REVERTED, IN_DOUBT, REQUESTED}),
        BROADCAST: frozenset({CONFIRMED, REVERTED, IN_DOUBT, REQUESTED}),
        IN_DOUBT: frozenset({BROADCAST, CONFIRMED, REVERTED, REQUESTED}),  # by evidence from the chain alone
        CONFIRMED: frozenset({BROADCAST}),  # the chain was reorganised and the payment waits again
        REJECTED: frozenset(),
        REVERTED: frozenset(
            {BROADCAST}
        ),  # likewise; its debt may be asked for again by another intent once it is final
    },
)
