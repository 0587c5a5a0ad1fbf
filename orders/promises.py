"""Promises of coins: kept while a payment that counts is on its way, lost at their deadline, released by the operator."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.each import for_each, next_page
from core.errors import DomainError
from core.locks import lock_rows
from orders.judge import Keep, Payment, Terms, keep_of, payment_of, terms_of
from orders.models import Order, Promise
from orders.reasons import Reason
from orders.transition import note
from wallets.chains.networks import find_network
from wallets.models import Deposit
from wallets.scan_state import scanned_since, was_interrupted
from wallets.states import CONFIRMED, REFUND, SEEN


class NoOpenPromise(DomainError):
    code = "no_open_promise"
    message = _("No coins are promised to this order any more.")


def read_terms(order: Order) -> Terms:
    """Return what a locked order promised, with what was known of its chain: two statements."""
    chain = order.send_asset.network
    return terms_of(
        order,
        first_confirmation=find_network(chain).first_confirmation,
        interrupted=was_interrupted(chain=chain, moment=order.payment_deadline),
        sent_back=Deposit.objects.filter(owner_ref=order.reference, disposition=REFUND).exists(),
    )


def undecided_payments(order: Order) -> list[Payment]:
    """Return what was paid to an order and is not decided yet, by transaction: one statement."""
    rows = Deposit.objects.filter(owner_ref=order.reference, disposition="", state__in=(SEEN, CONFIRMED))
    return _by_transaction(rows.select_related("asset").order_by("txid", "pk"))


def _by_transaction(outputs: Iterable[Deposit]) -> list[Payment]:
    return [payment_of(list(group)) for _txid, group in groupby(outputs, key=lambda output: output.txid)]


def keep_promise(order: Order) -> None:
    """Work out anew how long a locked order's open promise stands; three statements, and one for each change.

    Once the order is priced it stands until its coins are reserved, or what it was for is taken back.
    A promise whose time has passed is closed when the chain was read to its tip since: see `lapse_promises`.
    """
    promise = Promise.objects.filter(order=order, closed_at=None).first()
    if promise is None:
        return
    priced = order.priced_at is not None
    keep = Keep(funded=True, until=None) if priced else keep_of(undecided_payments(order), read_terms(order))
    if (promise.funded, promise.lapses_at) != (keep.funded, keep.until):
        promise.funded, promise.lapses_at = keep.funded, keep.until
        promise.save(update_fields=("funded", "lapses_at"))


def close_promise(order: Order, *, at: datetime) -> bool:
    """Close a locked order's promise; False when none was open. One statement. Safe to repeat."""
    return bool(Promise.objects.filter(order=order, closed_at=None).update(closed_at=at))


def lapse_promises(*, at: datetime, limit: int = 200) -> int:
    """Close the promises whose time has passed without a payment that keeps them, and return how many.

    As orders expire: only once a scan of the chain that started after that moment has finished, so that a dead node
    loses nobody's coins. The order itself goes on; whether the rate binds is decided by its payment.
    """
    due = Promise.objects.filter(closed_at=None).filter(
        # A release before this column wrote no `lapses_at`.
        Q(lapses_at__lt=at) | Q(lapses_at=None, funded=False, order__payment_deadline__lt=at)
    )
    facts = due.values_list(
        "pk", "order__reference", "order__send_asset__network", "lapses_at", "order__payment_deadline"
    )
    rows = next_page("promises", facts, limit=limit)
    passed = [
        reference
        for _, reference, chain, lapses_at, deadline in rows
        if scanned_since(chain=chain, moment=lapses_at or deadline, at=at)
    ]
    return for_each(passed, lambda reference: _lapse(reference, at))


@transaction.atomic
def _lapse(reference: str, at: datetime) -> bool:
    (orders,) = lock_rows(Order.objects.filter(reference=reference).select_related("send_asset", "get_asset"))
    if not orders:
        return False
    keep_promise(orders[0])  # it may have been mined meanwhile, which is no news
    over = Promise.objects.filter(order=orders[0], closed_at=None, lapses_at__lt=at).exists()
    return over and close_promise(orders[0], at=at)


def release_promise(*, reference: str, at: datetime, actor: str) -> None:
    """Free the coins promised to one order, as the operator. A payment that comes is exchanged if coins are there.

    Locks the order. Raises: NoOpenPromise.
    """
    with transaction.atomic():
        (orders,) = lock_rows(Order.objects.filter(reference=reference))
        if not orders or not close_promise(orders[0], at=at):
            raise NoOpenPromise
        note(orders[0], actor=actor, reason=Reason.PROMISE_RELEASED, at=at)
