"""Deadlines: unpaid orders expire once their chain has been read past the deadline; the rest goes to the operator."""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from core.each import for_each, next_page
from core.locks import lock_rows
from orders import policy, states
from orders.models import Order
from orders.promises import close_promise
from orders.reasons import Reason
from orders.transition import move, note
from orders.turn import Turn, operators_turn
from wallets.models import Deposit, Payout
from wallets.scan_state import scanned_since
from wallets.states import REQUESTED, WAITING


def expire_due_orders(*, at: datetime, limit: int = 200) -> int:
    """Expire unpaid orders past their deadline, and return how many.

    An order expires only when a scan of its chain that started after the deadline has finished, so that a dead or
    syncing node expires nothing; EXPIRED is display, a late deposit re-enters.
    """
    due = (
        Order.objects.filter(state=states.AWAITING_DEPOSIT, deadline__lt=at)
        .exclude(Exists(Deposit.objects.filter(owner_ref=OuterRef("reference"), news=True)))
        .values_list("pk", "reference", "send_asset__network", "payment_deadline")
    )
    rows = next_page(
        "unpaid", due, limit=limit
    )  # a chain that is not read has its orders wait, not those of the others
    known = [reference for _, reference, chain, until in rows if scanned_since(chain=chain, moment=until, at=at)]
    return for_each(known, lambda reference: _expire(reference, at))


@transaction.atomic
def _expire(reference: str, at: datetime) -> bool:
    (orders,) = lock_rows(Order.objects.filter(reference=reference, state=states.AWAITING_DEPOSIT, deadline__lt=at))
    if not orders:
        return False
    close_promise(orders[0], at=at)
    move(orders[0], states.EXPIRED, actor="machine", reason=Reason.NOT_PAID_IN_TIME, at=at)
    return True


def escalate_overdue(*, at: datetime, limit: int = 200) -> int:
    """Make the operator the next actor of every other open order and waiting deposit past its deadline.

    No machine decides about money then; the new deadline is the operator's. Returns how many orders moved.
    """
    open_states = [state for state in states.FACES if state not in (states.AWAITING_DEPOSIT, *states.RESTING)]
    due = Order.objects.filter(state__in=open_states, deadline__lt=at).exclude(next_actor=states.OPERATOR)
    # These offer a refund instead, which stands until it is taken.
    due = due.exclude(hold_reason=states.LIQUIDITY).exclude(state=states.PAYING, next_actor=states.CUSTOMER)
    rows = next_page("overdue", due.values_list("pk", "reference"), limit=limit)
    moved = for_each(rows, lambda row: _escalate(row[1], at))
    with transaction.atomic():
        late = Deposit.objects.filter(disposition=WAITING, deadline__lt=at)
        late.update(next_actor=states.OPERATOR, deadline=at + policy.WAITING_WINDOW)
    return moved


def offer_refunds(*, at: datetime, limit: int = 200) -> int:
    """Offer the deposit back, free, to owners whose paid orders waited for us until the deadline; return how many.

    For our coins, or for a payout that nothing has signed. The offer stands beside the payout: whichever comes first, a
    request for the refund or a signature, closes the other.
    """
    due = next_page("held", _held().filter(deadline__lt=at).values_list("pk", "reference"), limit=limit)
    unsigned = next_page("unsigned", _unsigned(at).values_list("pk", "reference"), limit=limit)
    return for_each([*due, *unsigned], lambda row: _offer(row[1], at))


def _held() -> QuerySet[Order]:
    return Order.objects.filter(
        state=states.EXCHANGING, hold_reason=states.LIQUIDITY, next_actor=states.OPERATOR
    ).exclude(exception=states.REORG)


def _unsigned(at: datetime) -> QuerySet[Order]:
    """Select the orders whose payout was asked for long ago and has no signature, nor ever had one."""
    asked = Payout.objects.filter(owner_ref=OuterRef("reference"), purpose__startswith="order:")
    waiting = asked.filter(state=REQUESTED, requested_at__lt=at - policy.LIQUIDITY_WINDOW, attempts=None)
    orders = Order.objects.filter(state=states.PAYING, next_actor__in=(states.MACHINE, states.OPERATOR))
    return orders.exclude(exception=states.REORG).filter(Exists(waiting))


@transaction.atomic
def _offer(reference: str, at: datetime) -> bool:
    (orders,) = lock_rows(Order.objects.filter(reference=reference))
    same = Order.objects.filter(reference=reference)
    if orders and ((_held() & same).exists() or (_unsigned(at) & same).exists()):
        note(
            orders[0],
            actor="machine",
            reason=Reason.REFUND_OFFERED,
            at=at,
            turn=Turn(states.CUSTOMER, at + policy.WAITING_WINDOW),
        )
        return True
    return False


@transaction.atomic
def _escalate(reference: str, at: datetime) -> bool:
    (orders,) = lock_rows(
        Order.objects.filter(reference=reference, deadline__lt=at).exclude(next_actor=states.OPERATOR)
    )
    if not orders or orders[0].state in (states.AWAITING_DEPOSIT, *states.RESTING):
        return False
    note(orders[0], actor="machine", reason=Reason.OVERDUE, at=at, turn=operators_turn(at))
    return True
