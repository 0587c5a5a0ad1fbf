"""The journal entries that orders post: the exchange with its fees as legs of their own, refund fees, dust."""

from datetime import datetime

from core.money import Money
from ledger.post import Leg, NewEntry
from orders.models import Order
from wallets.models import Deposit


def exchange_reference(order: Order) -> str:
    """Name the entry of an order's exchange: there is one, for ever."""
    return f"exchange:{order.reference}"


def exchange_entry(order: Order, *, given: Money, gross: Money, get: Money, at: datetime) -> NewEntry:
    """Turn what was paid into the other asset: `gross` is what it is worth, `get` what the customer is owed.

    What lies between is the network fee and the exchange fee, in the get asset; readable for ever in the books.
    """
    network_fee = Money(order.network_fee_minor, order.get_asset)
    fee = gross - get - network_fee
    return NewEntry(
        reference=exchange_reference(order),
        reason="exchange",
        occurred_at=at,
        legs=(
            Leg("customer", given, order.reference),
            Leg("position", -given),
            Leg("position", gross),
            Leg("revenue:fee", -fee),
            Leg("revenue:network", -network_fee),
            Leg("customer", -get, order.reference),
        ),
    )


def refund_fee_entry(deposit: Deposit, *, fee: Money, at: datetime) -> NewEntry:
    """Charge the network fee of a refund to the customer's claim; `deposit` is the first output of what goes back."""
    return NewEntry(
        f"refund-fee:{deposit.pk}",
        "refund fee",
        at,
        (Leg("customer", fee, deposit.owner_ref), Leg("revenue:network", -fee)),
    )


def written_off_reference(deposit: Deposit) -> str:
    """Name the entry that writes off a deposit which the chain took away, as often as it did."""
    return f"written-off:{deposit.pk}:{deposit.reorg_count}"


def written_off_entry(deposit: Deposit, *, amount: Money, at: datetime) -> NewEntry:
    """Owe the customer nothing for a deposit that is lost: what the reorganisation left us to receive is not expected."""
    return NewEntry(
        written_off_reference(deposit),
        "deposit lost",
        at,
        (Leg("customer", amount, deposit.owner_ref), Leg("receivable:reorg", -amount)),
    )


def dust_entry(deposit: Deposit, *, amount: Money, at: datetime) -> NewEntry:
    """Keep a payment that is too small to send back, as the published policy says; `deposit` is its first output."""
    return NewEntry(
        f"dust:{deposit.pk}",
        "dust",
        at,
        (Leg("customer", amount, deposit.owner_ref), Leg("dust", -amount)),
    )
