"""Two-phase payouts in the books: coins are reserved first, and each reservation is closed exactly once.

Settling and releasing share one entry reference per purpose, so the books themselves refuse to do both.
"""

from datetime import datetime

from core.money import Money
from ledger.post import Leg, NewEntry


def reserve_entry(*, purpose: str, amount: Money, at: datetime) -> NewEntry:
    """Set `amount` (payout plus fee cap) aside. Posting it raises InsufficientFunds when the coins are not there."""
    return NewEntry(
        reference=f"reserve:{purpose}",
        reason="reserve",
        occurred_at=at,
        legs=(Leg("chain:reserved", amount), Leg("chain:spendable", -amount)),
    )


def settle_entry(*, purpose: str, reserved: Money, paid: Money, fee: Money, owner: str, at: datetime) -> NewEntry:
    """Close the reservation by a payout: `paid` reached the customer `owner`, `fee` the miners, the rest comes back."""
    return NewEntry(
        reference=f"close:{purpose}",
        reason="payout",
        occurred_at=at,
        legs=(
            Leg("customer", paid, owner),
            Leg("expense:network", fee),
            Leg("chain:spendable", reserved - paid - fee),
            Leg("chain:reserved", -reserved),
        ),
    )


def release_entry(*, purpose: str, reserved: Money, at: datetime) -> NewEntry:
    """Close the reservation without a payout: everything comes back."""
    return NewEntry(
        reference=f"close:{purpose}",
        reason="release",
        occurred_at=at,
        legs=(Leg("chain:spendable", reserved), Leg("chain:reserved", -reserved)),
    )
