"""Act on what happened to an order's payments: confirming, crediting, waiting for a decision, or gone again.

Claims the news of wallets.deposits; one transaction per payment, safe to repeat and to run twice at once, because the
order and the payment's outputs are locked and looked at again before anything is done. All that one transaction pays to
an order is one payment: decided together, exchanged or sent back together.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from core.each import for_each
from core.locks import lock_rows
from core.money import Money
from ledger.post import post_entries
from orders import policy, states
from orders.journal import dust_entry, exchange_entry
from orders.judge import judge, matters, payment_of
from orders.lost import restore_written_off
from orders.models import Order
from orders.pricing import gross_of
from orders.promises import close_promise, keep_promise, read_terms
from orders.reasons import Reason
from orders.transition import move, note
from orders.turn import Turn, operators_turn, turn_of
from wallets.deposits import clear_news, decide, list_news
from wallets.models import Deposit
from wallets.states import CONFIRMED, CREDIT, DUST, REMOVED, SEEN, WAITING


def follow_deposits(*, chain: str, at: datetime, limit: int = 200) -> int:
    """Act on up to `limit` deposits with news, oldest first; return how many changed something."""
    news = list_news(chain=chain, limit=limit)
    return for_each(news, lambda row: follow_deposit(deposit_id=row[0], reference=row[1], at=at))


def follow_deposit(*, deposit_id: int, reference: str, at: datetime) -> bool:
    """Bring the order up to date with the payment of one deposit; False when there was no news.

    Locks the order, then the payment's outputs.

    Raises: core.states.IllegalTransition on a move that the table does not list (a bug; the news stays).
    """
    # Another output of the same payment may have brought this one's news to an end.
    txid = Deposit.objects.filter(pk=deposit_id, news=True).values_list("txid", flat=True).first()
    if txid is None:
        return False
    with transaction.atomic():
        (orders, outputs) = lock_rows(
            Order.objects.filter(reference=reference).select_related("send_asset", "get_asset"),
            Deposit.objects.filter(owner_ref=reference, txid=txid).select_related("asset"),
        )
        if not any(output.news for output in outputs):
            return False
        _follow(orders[0], outputs, at)
        clear_news(outputs)
        return True


def _follow(order: Order, outputs: Sequence[Deposit], at: datetime) -> None:
    decided = [output for output in outputs if output.disposition != "" and output.news]
    fresh = [output for output in outputs if output.disposition == ""]
    confirmed = [output for output in fresh if output.state == CONFIRMED]
    if any(output.state != CONFIRMED for output in decided):
        _note_lost(order, at)
    elif decided:
        _note_back(order, [output for output in decided if output.state == CONFIRMED], at)
    if confirmed:
        _decide(order, confirmed, at)
    elif any(output.state == SEEN for output in fresh):
        _note_seen(order, [output for output in fresh if output.state == SEEN], at)
    elif any(output.state == REMOVED for output in fresh):
        _fall_back(order, at, Reason.DEPOSIT_GONE)
    keep_promise(order)


def _note_seen(order: Order, outputs: Sequence[Deposit], at: datetime) -> None:
    """Dust moves nothing: anybody can send some to an address."""
    if order.state not in (states.AWAITING_DEPOSIT, states.EXPIRED):
        return
    if matters(sum(output.amount_minor for output in outputs), order.send_asset.dust_minor):
        move(order, states.CONFIRMING, actor="machine", reason=Reason.DEPOSIT_SEEN, at=at)


def _fall_back(order: Order, at: datetime, reason: Reason) -> None:
    """Let an order that confirms wait for its payment again when nothing is left that is one."""
    if order.state == states.CONFIRMING and not _confirms(order):
        move(order, states.AWAITING_DEPOSIT, actor="machine", reason=reason, at=at, exception=states.NONE)


def _confirms(order: Order) -> bool:
    """Say whether a payment of more than dust is being confirmed, or waits for a decision: one statement."""
    present = Deposit.objects.filter(owner_ref=order.reference, state__in=(SEEN, CONFIRMED))
    paid = present.filter(disposition__in=("", WAITING)).values("txid", "disposition").annotate(sum=Sum("amount_minor"))
    return paid.filter(sum__gt=order.send_asset.dust_minor).exists()


def _note_lost(order: Order, at: datetime) -> None:
    """A reorganisation took a decided deposit away: a case for the operator, whatever the order does meanwhile."""
    if order.exception != states.REORG:
        note(
            order,
            actor="machine",
            reason=Reason.DEPOSIT_GONE,
            at=at,
            exception=states.REORG,
            turn=operators_turn(at),
        )


def _note_back(order: Order, outputs: Sequence[Deposit], at: datetime) -> None:
    """A decided deposit is confirmed again; when none is missing any more, the order goes on as before."""
    if restore_written_off(order, outputs, at=at):
        exception = _waiting_exception(order)
        if order.state == states.EXPIRED and exception != states.NONE:
            move(order, states.CONFIRMING, actor="machine", reason=Reason.RESTORED, at=at, exception=exception)
            note(order, actor="machine", reason=Reason(exception.lower()), at=at, turn=turn_of(order, order.state, at))
        else:
            turn = turn_of(order, order.state, at)
            note(order, actor="machine", reason=Reason.RESTORED, at=at, exception=exception, turn=turn)
        return
    if order.exception != states.REORG or _missing(order):
        return
    order.exception = _waiting_exception(order)
    note(
        order,
        actor="machine",
        reason=Reason.MINED_AGAIN,
        at=at,
        exception=order.exception,
        turn=turn_of(order, order.state, at),
    )


def _missing(order: Order) -> bool:
    decided = Deposit.objects.filter(owner_ref=order.reference).exclude(disposition="")
    return decided.exclude(state=CONFIRMED).exists()


def _waiting_exception(order: Order) -> str:
    """Derive the exception from the deposits that still wait: another deposit being credited does not settle them."""
    waiting = Deposit.objects.filter(owner_ref=order.reference, disposition=WAITING).order_by("-pk")
    return waiting.values_list("reason", flat=True).first() or states.NONE


def _decide(order: Order, outputs: Sequence[Deposit], at: datetime) -> None:
    payment = payment_of(outputs)
    verdict = judge(payment, read_terms(order))
    if verdict.disposition == DUST:
        decide(outputs, DUST, reason="dust")
        _fall_back(order, at, Reason.DUST)
        post_entries([dust_entry(outputs[0], amount=payment.amount, at=at)])
        return
    if order.state in (states.AWAITING_DEPOSIT, states.EXPIRED):
        move(order, states.CONFIRMING, actor="machine", reason=Reason.DEPOSIT_SEEN, at=at)
    if verdict.get is not None:
        _credit(order, outputs, payment.amount, verdict.get, at)
        return
    if order.priced_at is None:
        close_promise(order, at=at)
    deadline = at + policy.WAITING_WINDOW
    decide(outputs, verdict.disposition, reason=verdict.exception, deadline=deadline, next_actor=states.CUSTOMER)
    _flag(order, verdict.exception, Turn(states.CUSTOMER, deadline), at)


def _flag(order: Order, exception: str, turn: Turn, at: datetime) -> None:
    """Raise the exception; only an order that stands still because of it, or is over otherwise, gets a new next actor.

    A deposit that the chain took away stays the exception until it is back, or somebody has looked.
    """
    lost = order.exception == states.REORG
    stands = not lost and order.state in (states.CONFIRMING, *states.RESTING)
    note(
        order,
        actor="machine",
        reason=Reason(exception.lower()),
        at=at,
        exception=None if lost else exception,
        turn=turn if stands else None,
    )


def _credit(order: Order, outputs: Sequence[Deposit], paid: Money, get: Money, at: datetime) -> None:
    """Price the order, once: the payment becomes the exchange entry. The promise stays open until coins are reserved."""
    gross = gross_of(paid, rate=order.rate, into=order.get_asset)
    decide(outputs, CREDIT, reason="credited")
    order.priced_at = at
    order.credited_send_minor, order.credited_get_minor = paid.minor, get.minor
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
    post_entries([exchange_entry(order, given=paid, gross=gross, get=get, at=at)])
