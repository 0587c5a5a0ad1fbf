"""Act on what happened to an order's deposits: confirming, crediting, waiting for a decision, or gone again.

Claims the news of wallets.deposits; one transaction per deposit, safe to repeat and to run twice at once, because the
order and the deposit are locked and looked at again before anything is done.
"""

from datetime import datetime

from django.db import transaction

from core.each import for_each
from core.locks import lock_rows
from core.money import Money
from ledger.post import post_entries
from orders import policy, states
from orders.journal import dust_entry, exchange_entry
from orders.judge import judge
from orders.models import Order, Promise
from orders.pricing import gross_of
from orders.reasons import Reason
from orders.reserves import read_reserves
from orders.transition import Turn, move, note, operators_turn, usual_turn
from wallets.deposits import clear_news, decide, list_news
from wallets.models import Deposit
from wallets.states import CONFIRMED, CREDIT, DUST, REMOVED, SEEN, WAITING


def follow_deposits(*, chain: str, at: datetime, limit: int = 200) -> int:
    """Act on up to `limit` deposits with news, oldest first; return how many changed something."""
    news = list_news(chain=chain, limit=limit)
    return for_each(news, lambda row: follow_deposit(deposit_id=row[0], reference=row[1], at=at))


@transaction.atomic
def follow_deposit(*, deposit_id: int, reference: str, at: datetime) -> bool:
    """Bring the order up to date with one deposit. Locks the order, then the deposit. False when there was no news.

    Raises: core.states.IllegalTransition on a move that the table does not list (a bug; the news stays).
    """
    (orders, deposits) = lock_rows(
        Order.objects.filter(reference=reference).select_related("send_asset", "get_asset"),
        Deposit.objects.filter(pk=deposit_id, news=True).select_related("asset"),
    )
    if not deposits:
        return False
    order, deposit = orders[0], deposits[0]
    if deposit.state == REMOVED or (deposit.state == SEEN and deposit.disposition != ""):
        _note_removed(order, deposit, at)
    elif deposit.state == SEEN:
        _note_seen(order, deposit, at)
    elif deposit.state == CONFIRMED and deposit.disposition == "":
        _decide(order, deposit, at)
    else:
        if order.exception == states.REORG and not _missing(order):
            note(
                order,
                actor="machine",
                reason=Reason.MINED_AGAIN,
                at=at,
                exception=_waiting_exception(order),
                turn=_turn_of(order, at),
            )
        clear_news(deposit)
    return True


def _note_seen(order: Order, deposit: Deposit, at: datetime) -> None:
    if order.state in (states.AWAITING_DEPOSIT, states.EXPIRED, states.REFUNDED):
        Promise.objects.filter(order=order, closed_at=None).update(funded=True)
        move(order, states.CONFIRMING, actor="machine", reason=Reason.DEPOSIT_SEEN, at=at)
    clear_news(deposit)


def _note_removed(order: Order, deposit: Deposit, at: datetime) -> None:
    """The chain no longer knows the deposit: before crediting the order waits again, afterwards it is a case."""
    if deposit.disposition == "" and order.state == states.CONFIRMING and not _others(order, deposit):
        Promise.objects.filter(order=order, closed_at=None).update(funded=False)
        move(
            order,
            states.AWAITING_DEPOSIT,
            actor="machine",
            reason=Reason.DEPOSIT_GONE,
            at=at,
            exception=states.NONE,
        )
    elif deposit.disposition != "" and order.exception != states.REORG:
        note(
            order,
            actor="machine",
            reason=Reason.DEPOSIT_GONE,
            at=at,
            exception=states.REORG,
            turn=operators_turn(at),
        )
    clear_news(deposit)


def _others(order: Order, deposit: Deposit) -> bool:
    return (
        Deposit.objects.filter(owner_ref=order.reference, state__in=(SEEN, CONFIRMED)).exclude(pk=deposit.pk).exists()
    )


def _missing(order: Order) -> bool:
    decided = Deposit.objects.filter(owner_ref=order.reference).exclude(disposition="")
    return decided.exclude(state=CONFIRMED).exists()


def _waiting_exception(order: Order) -> str:
    """Derive the exception from the deposits that still wait: another deposit being credited does not settle them."""
    waiting = Deposit.objects.filter(owner_ref=order.reference, disposition=WAITING).order_by("-pk")
    return waiting.values_list("reason", flat=True).first() or states.NONE


def _turn_of(order: Order, at: datetime) -> Turn:
    """Return whose turn it is once nothing is in doubt any more: the customer's, while a deposit blocks the order."""
    waiting = Deposit.objects.filter(owner_ref=order.reference, disposition=WAITING).order_by("-pk")
    if order.state == states.CONFIRMING and (deposit := waiting.first()) is not None:
        return Turn(deposit.next_actor, deposit.deadline)
    return usual_turn(order, order.state, at)


def _decide(order: Order, deposit: Deposit, at: datetime) -> None:
    refund_fee = read_reserves()[order.send_asset_id].network_fee
    verdict = judge(order, deposit, refund_fee=refund_fee)
    if order.state in (states.AWAITING_DEPOSIT, states.EXPIRED, states.REFUNDED):
        move(order, states.CONFIRMING, actor="machine", reason=Reason.DEPOSIT_SEEN, at=at)
    if verdict.get is not None:
        _credit(order, deposit, verdict.get, at)
        return
    if verdict.disposition == DUST:
        _keep_dust(order, deposit, at)
        return
    if order.priced_at is None:
        Promise.objects.filter(order=order, closed_at=None).update(closed_at=at)
    deadline = at + policy.WAITING_WINDOW
    decide(deposit, verdict.disposition, reason=verdict.exception, deadline=deadline, next_actor=states.CUSTOMER)
    _flag(order, verdict.exception, deadline, at)


def _keep_dust(order: Order, deposit: Deposit, at: datetime) -> None:
    """Dust blocks nothing: the order waits for its real deposit as if nothing had come."""
    decide(deposit, DUST, reason="dust")
    if order.state == states.CONFIRMING and not _others(order, deposit):
        move(order, states.AWAITING_DEPOSIT, actor="machine", reason=Reason.DUST, at=at, exception=states.NONE)
    post_entries([dust_entry(deposit, at=at)])


def _flag(order: Order, exception: str, deadline: datetime, at: datetime) -> None:
    """Raise the exception; only an order that stands still because of it gets a new next actor."""
    stands = order.state == states.CONFIRMING
    note(
        order,
        actor="machine",
        reason=Reason(exception.lower()),
        at=at,
        exception=exception,
        turn=Turn(states.CUSTOMER, deadline) if stands else None,
    )


def _credit(order: Order, deposit: Deposit, get: Money, at: datetime) -> None:
    """Price the order, once: the deposit becomes the exchange entry. The promise stays open until coins are reserved."""
    gross = gross_of(Money(deposit.amount_minor, order.send_asset), rate=order.rate, into=order.get_asset)
    decide(deposit, CREDIT, reason="credited")
    order.priced_at = at
    order.credited_send_minor, order.credited_get_minor = deposit.amount_minor, get.minor
    move(
        order,
        states.EXCHANGING,
        actor="machine",
        reason=Reason.CREDITED,
        at=at,
        hold=states.NO_HOLD if order.payout_address else states.ADDRESS,
        exception=_waiting_exception(order),
        also=("priced_at", "credited_send_minor", "credited_get_minor"),
    )
    post_entries([exchange_entry(order, deposit=deposit, gross=gross, get=get, at=at)])
