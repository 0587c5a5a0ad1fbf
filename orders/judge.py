"""What a confirmed deposit means for its order: a pure function of stored facts, no clock, no database.

The rules: docs/ARCHITECTURE.md, "Deposits". Timers never decide money; a dead node or a late worker changes nothing.
"""

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

from django.conf import settings

from core.money import Money
from orders import policy, states
from orders.models import Order
from orders.pricing import pro_rata
from wallets.models import Deposit
from wallets.states import CREDIT, DUST, WAITING


@dataclass(frozen=True, slots=True)
class Verdict:
    """`disposition` of the deposit, the order's `exception`, and for CREDIT what the customer gets."""

    disposition: str
    exception: str
    get: Money | None = None


def judge(order: Order, deposit: Deposit, *, refund_fee: Money) -> Verdict:
    """Decide a confirmed deposit, given what sending it back would cost.

    1. An order that was priced, or is on the way to a refund, takes no second deposit: SECOND.
    2. Seen (or mined) before the payment deadline and confirmed within the window: the promised rate holds.
    3. Within the tolerance of the promised amount it executes pro rata; else UNDERPAID or OVERPAID waits for a decision.
    4. What cannot pay for its own refund is dust.
    """
    amount = Money(deposit.amount_minor, order.send_asset)
    send, get = Money(order.send_minor, order.send_asset), Money(order.get_minor, order.get_asset)
    exception = _exception(order, deposit, amount, send)
    if exception == states.NONE:
        return Verdict(CREDIT, states.NONE, pro_rata(deposit=amount, send=send, get=get))
    if amount.minor <= order.send_asset.dust_minor + refund_fee.minor:
        return Verdict(DUST, exception)
    return Verdict(WAITING, exception)


def _exception(order: Order, deposit: Deposit, amount: Money, send: Money) -> str:
    if order.priced_at is not None or order.state in (states.REFUNDING, states.REFUND_FAILED, states.REFUNDED):
        return states.SECOND
    if not rate_holds(order, deposit):
        return states.PAID_LATE
    off = Fraction(abs((amount - send).minor), send.minor)
    if off * 10_000 > policy.TOLERANCE_BPS:
        return states.UNDERPAID if amount < send else states.OVERPAID
    return states.NONE


def rate_holds(order: Order, deposit: Deposit) -> bool:
    """Say whether the fixed rate binds: seen or mined in time, and confirmed within the confirmation window."""
    seen_at = min(filter(None, (deposit.first_seen_at, deposit.mined_at)))
    window = timedelta(minutes=settings.CONFIRM_WINDOW_MINUTES)
    confirmed_at = deposit.confirmed_at
    return confirmed_at is not None and seen_at < order.payment_deadline and confirmed_at <= seen_at + window
