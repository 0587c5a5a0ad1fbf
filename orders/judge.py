"""What a payment means for its order: pure functions of stored facts, no clock, no database.

The rules: docs/ARCHITECTURE.md, "Deposits". Timers never decide money; a dead node or a late worker changes nothing.
A payment is everything that one transaction pays to the order's address, however many outputs it has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.money import Money
from orders import policy, states
from orders.models import Order
from orders.pricing import pro_rata
from wallets.models import Deposit
from wallets.states import CREDIT, DUST, WAITING


@dataclass(frozen=True, slots=True)
class Sight:
    """When a payment was seen, as stored. `counts`: its first sight may bind a rate (Deposit.sight_counts)."""

    first_seen_at: datetime
    counts: bool
    mined_at: datetime | None  # the block's own time, within what we saw ourselves


@dataclass(frozen=True, slots=True)
class Payment:
    """What one transaction pays to an order."""

    amount: Money
    sight: Sight


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order promised, and what was known of its chain around the payment deadline.

    `interrupted`: our own reading of the chain was interrupted across the deadline. `taken`: the order had its payment
    already: it was priced, or is being or was sent back.
    """

    send: Money
    get: Money
    dust_minor: int  # of the asset that is sent: what does not execute and is at most this much is kept
    deadline: datetime
    first_confirmation: timedelta
    interrupted: bool = False
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """`disposition` of the payment, the order's `exception`, and for CREDIT what the customer gets."""

    disposition: str
    exception: str
    get: Money | None = None


def terms_of(order: Order, *, first_confirmation: timedelta, interrupted: bool, sent_back: bool) -> Terms:
    """Lay out an order's promise; `sent_back`: one of its payments is being or was refunded."""
    over = order.state in (states.REFUNDING, states.REFUND_FAILED, states.REFUNDED)
    return Terms(
        send=Money(order.send_minor, order.send_asset),
        get=Money(order.get_minor, order.get_asset),
        dust_minor=order.send_asset.dust_minor,
        deadline=order.payment_deadline,
        first_confirmation=first_confirmation,
        interrupted=interrupted,
        taken=order.priced_at is not None or sent_back or over,
    )


def payment_of(outputs: Sequence[Deposit]) -> Payment:
    """Put the outputs of one transaction together; not empty. Its sight counts when that of each output does."""
    amount = sum(output.amount_minor for output in outputs)
    return Payment(
        Money(amount, outputs[0].asset),
        Sight(
            first_seen_at=min(output.first_seen_at for output in outputs),
            counts=all(output.sight_counts for output in outputs),
            mined_at=outputs[0].mined_at,
        ),
    )


def judge(payment: Payment, terms: Terms) -> Verdict:
    """Decide a confirmed payment.

    1. An order that had its payment takes no second one: SECOND.
    2. The promised rate holds for what `rate_holds`; else PAID_LATE.
    3. Within the tolerance of the promised amount it executes pro rata; else UNDERPAID or OVERPAID waits for a decision.
    4. Of what does not execute, at most the asset's published dust is kept; the rest waits for its owner.
    """
    exception = _exception(payment, terms)
    if exception == states.NONE:
        get = pro_rata(deposit=payment.amount, send=terms.send, get=terms.get)
        return Verdict(CREDIT, states.NONE, get)
    return Verdict(WAITING if matters(payment.amount.minor, terms.dust_minor) else DUST, exception)


def _exception(payment: Payment, terms: Terms) -> str:
    if terms.taken:
        return states.SECOND
    if not rate_holds(payment.sight, terms):
        return states.PAID_LATE
    if payment.amount.minor < least_that_executes(terms.send):
        return states.UNDERPAID
    if payment.amount.minor > most_that_executes(terms.send):
        return states.OVERPAID
    return states.NONE


def matters(minor: int, dust_minor: int) -> bool:
    """Say whether a payment is more than the asset's published dust: less moves no order and holds no promise."""
    return minor > dust_minor


def least_that_executes(send: Money) -> int:
    """Return the smallest amount, in minor units, that executes by itself where `send` was promised."""
    return -(-send.minor * (policy.BPS - policy.TOLERANCE_BPS) // policy.BPS)


def most_that_executes(send: Money) -> int:
    """Return the largest amount, in minor units, that executes by itself where `send` was promised."""
    return send.minor * (policy.BPS + policy.TOLERANCE_BPS) // policy.BPS


def rate_holds(sight: Sight, terms: Terms) -> bool:
    """Say whether the fixed rate binds for a payment.

    It does for what was mined before the deadline; for what was seen before it, with a sight that counts, and mined
    within the network's ordinary time of that; and, where we could not look when the deadline passed, for what we saw
    only afterwards and was mined within that time of the deadline.
    """
    if sight.mined_at is None:
        return False
    latest = must_be_mined_by(sight, terms)
    return sight.mined_at < terms.deadline or (latest is not None and sight.mined_at <= latest)


def must_be_mined_by(sight: Sight, terms: Terms) -> datetime | None:
    """Return until when a payment that was seen must be mined for the rate to bind; None when its sight binds nothing."""
    if not sight.counts:
        return None
    if sight.first_seen_at < terms.deadline:
        return sight.first_seen_at + terms.first_confirmation
    return terms.deadline + terms.first_confirmation if terms.interrupted else None


@dataclass(frozen=True, slots=True)
class Keep:
    """Whether an order's promise of coins is `funded`, and `until` when it stands by itself; None: until it is decided."""

    funded: bool
    until: datetime | None


def keep_of(payments: Sequence[Payment], terms: Terms) -> Keep:
    """Say how long the coins promised to an order that is not priced yet stay promised.

    At least the least that executes funds them: mined and with the rate binding until the payment is decided; unmined,
    with a sight that counts, until it would have to be mined. Anything else holds them until the deadline and no longer.
    """
    keep = Keep(funded=False, until=terms.deadline)
    for payment in payments:
        if payment.amount.minor < least_that_executes(terms.send):
            continue
        if rate_holds(payment.sight, terms):
            return Keep(funded=True, until=None)
        latest = must_be_mined_by(payment.sight, terms)
        if payment.sight.mined_at is None and latest is not None:
            keep = Keep(funded=True, until=max(latest, keep.until or latest))
    return keep
