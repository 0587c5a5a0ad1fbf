"""Pay what an exchange owes: reserve coins and ask wallets for the payout, then follow it until it is confirmed."""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from core.each import for_each, next_page
from core.locks import lock_rows
from core.money import Money
from ledger.post import InsufficientFunds
from orders import policy, states
from orders.models import Order
from orders.promises import close_promise
from orders.reasons import Reason
from orders.refund import follow_refund
from orders.transition import move, note
from orders.turn import Turn, operators_turn, turn_of
from wallets import states as wallet_states
from wallets.models import Deposit, Payout
from wallets.payouts import clear_payout_news, debt_of, list_payout_news, request_payout
from wallets.states import CREDIT


def settle_purpose(reference: str) -> str:
    """Name the debt of an order's exchange: unique for ever."""
    return f"order:{reference}:settle"


def request_payouts(*, asset: str, at: datetime, limit: int = 200) -> int:
    """Ask for the payouts of all exchanged orders that get `asset`, oldest first; return how many were asked for."""
    ready = _payable(Order.objects.filter(get_asset_id=asset))
    rows = next_page(f"payable:{asset}", ready.values_list("pk", "reference"), limit=limit)
    return for_each(rows, lambda row: request_order_payout(reference=row[1], at=at))


def request_order_payout(*, reference: str, at: datetime) -> bool:
    """Reserve and request one order's payout, or hold it when the coins are not there. Safe to repeat and to race."""
    try:
        with transaction.atomic():
            return _request(reference, at)
    except InsufficientFunds:
        with transaction.atomic():
            return _hold(reference, at)


def _lock(reference: str) -> Order | None:
    (orders,) = lock_rows(_payable(Order.objects.filter(reference=reference)).select_related("get_asset"))
    return orders[0] if orders else None


def _payable(orders: QuerySet[Order]) -> QuerySet[Order]:
    """Narrow to what may be paid now. Without an address nothing is, whatever the hold says."""
    return orders.filter(state=states.EXCHANGING).exclude(hold_reason=states.ADDRESS).exclude(payout_address="")


def _request(reference: str, at: datetime) -> bool:
    order = _lock(reference)
    if order is None or order.credited_get_minor is None:
        return False
    close_promise(order, at=at)
    funded_by = Deposit.objects.filter(owner_ref=reference, disposition=CREDIT).values_list("pk", flat=True)
    move(order, states.PAYING, actor="machine", reason=Reason.PAYOUT_REQUESTED, at=at, hold=states.NO_HOLD)
    request_payout(
        purpose=settle_purpose(reference),
        owner_ref=reference,
        address=order.payout_address,
        amount=Money(order.credited_get_minor, order.get_asset),
        fee_cap=Money(order.fee_cap_minor, order.get_asset),
        funded_by=list(funded_by),
        at=at,
    )
    return True


def _hold(reference: str, at: datetime) -> bool:
    order = _lock(reference)
    if order is not None and order.hold_reason != states.LIQUIDITY:
        note(
            order,
            actor="machine",
            reason=Reason.WAITING_LIQUIDITY,
            at=at,
            hold=states.LIQUIDITY,
            turn=Turn(states.OPERATOR, at + policy.LIQUIDITY_WINDOW),
        )
    return False


def follow_payouts(*, chain: str, at: datetime, limit: int = 200) -> int:
    """Act on payouts with news, oldest first: sent, confirmed, rejected, refunds too; return how many."""
    news = list_payout_news(chain=chain, limit=limit)
    return for_each(news, lambda row: follow_payout(payout_id=row[0], reference=row[1], at=at))


@transaction.atomic
def follow_payout(*, payout_id: int, reference: str, at: datetime) -> bool:
    """Bring the order up to date with one payout. Locks the order, then the payout. Safe to repeat."""
    (orders, payouts) = lock_rows(
        Order.objects.filter(reference=reference).select_related("send_asset", "get_asset"),
        Payout.objects.filter(pk=payout_id, news=True),
    )
    if not payouts:
        return False
    payout = payouts[0]
    if orders and debt_of(payout.purpose) == settle_purpose(reference):
        _follow_settlement(orders[0], payout, at)
    elif orders:
        follow_refund(orders[0], payout, at=at)
    clear_payout_news(payout)
    return True


def _follow_settlement(order: Order, payout: Payout, at: datetime) -> None:
    if payout.state == wallet_states.BROADCAST and order.state == states.PAYING:
        move(order, states.SENT, actor="machine", reason=Reason.PAYOUT_SENT, at=at)
    elif payout.state == wallet_states.CONFIRMED and order.state in (states.PAYING, states.SENT):
        order.completed_at = at
        move(
            order,
            states.COMPLETED,
            actor="machine",
            reason=Reason.PAYOUT_CONFIRMED,
            at=at,
            turn=turn_of(order, states.COMPLETED, at),
            also=("completed_at",),
        )
    elif payout.state in (wallet_states.REJECTED, wallet_states.REVERTED, wallet_states.IN_DOUBT):
        reason = Reason(f"payout_{payout.state.lower()}")
        note(order, actor="machine", reason=reason, at=at, turn=operators_turn(at))
