"""What a person does about deposits that the chain took away for good, and what happens should it have them again."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from core.locks import lock_rows
from core.money import Money
from ledger.models import Entry
from ledger.post import post_entries
from ledger.reverse import reverse_entry
from orders import policy, states
from orders.journal import exchange_reference, written_off_entry, written_off_reference
from orders.models import Order
from orders.promises import close_promise
from orders.reasons import Reason
from orders.transition import move, note
from orders.turn import NOBODYS, turn_of
from wallets import states as wallet_states
from wallets.deposits import decide_anew
from wallets.models import Deposit, Payout
from wallets.payouts import clear_payout_news, reject_payout


class NotLost(DomainError):
    code = "not_lost"
    message = _("This cannot be written off: %(reason)s.")


def write_off(*, order_reference: str, at: datetime, actor: str, because: str) -> list[int]:
    """Close the case of deposits that a reorganisation took away for good; return which. The owner is owed nothing for them.

    Of deposits that were paid out, exchanged or sent back, the loss is the house's and only the case is closed. What we
    promised for others is taken back: a payout that was never signed is rejected and its coins are free, an exchange is
    reversed, the claim is written off against what the reorganisation left us to receive. Should the chain have them
    again after all, they wait for their owner (`restore_written_off`). Locks order, deposits, payouts. Safe to repeat.

    Raises: NotLost.
    """
    with transaction.atomic():
        (orders, deposits, payouts) = lock_rows(
            Order.objects.filter(reference=order_reference).select_related("send_asset", "get_asset"),
            Deposit.objects.filter(owner_ref=order_reference).exclude(disposition="").select_related("asset"),
            Payout.objects.filter(owner_ref=order_reference).select_related("asset"),
        )
        if not orders or orders[0].exception != states.REORG:
            raise NotLost(reason="the chain took no deposit of this order away")
        order = orders[0]
        lost = [deposit for deposit in deposits if deposit.state == wallet_states.REMOVED]
        if len(lost) < len([deposit for deposit in deposits if deposit.state != wallet_states.CONFIRMED]):
            raise NotLost(reason="one of its deposits is being mined again; wait for its confirmations")
        borne = _paid_out(order, payouts)
        unpaid = [deposit for deposit in lost if deposit.pk not in borne]
        gone = {deposit.pk for deposit in unpaid}
        ours = [payout for payout in payouts if gone & set(payout.funded_by)]
        unsigned = (wallet_states.REQUESTED, wallet_states.REJECTED)
        if any(payout.state not in unsigned or payout.attempts.exists() for payout in ours):
            raise NotLost(reason="a payment that it funded was signed; wait until the chain has decided about that one")
        for payout in ours:
            if payout.state == wallet_states.REQUESTED:
                reject_payout(payout, problem=f"written off: {because}", at=at)
            clear_payout_news(payout)
        if unpaid:
            _take_back(order, unpaid, ours, at)
        _close_order(order, at, actor)
        return sorted(deposit.pk for deposit in lost)


def _paid_out(order: Order, payouts: Sequence[Payout]) -> set[int]:
    """Return the deposits whose payout left us: it is final, or the exchange that it settles was signed and sent."""
    sent = order.state in (states.SENT, states.COMPLETED)
    unsigned = (wallet_states.REQUESTED, wallet_states.REJECTED)
    left = [
        payout
        for payout in payouts
        if payout.state == wallet_states.CONFIRMED
        or (sent and payout.state not in unsigned and payout.purpose.startswith("order:"))
    ]
    return {deposit_id for payout in left for deposit_id in payout.funded_by}


def _take_back(order: Order, lost: Sequence[Deposit], ours: Sequence[Payout], at: datetime) -> None:
    """Write off what is still owed for the lost deposits: the deposit, or what its refund would have paid."""
    if any(deposit.disposition == wallet_states.CREDIT for deposit in lost):
        reverse_entry(reference=exchange_reference(order), reason="deposit lost", at=at)
    owed = {
        deposit.pk: (deposit, deposit.amount_minor)
        for deposit in lost
        if deposit.disposition in (wallet_states.CREDIT, wallet_states.WAITING)
    }
    refunded = {deposit.pk: deposit for deposit in lost if deposit.disposition == wallet_states.REFUND}
    for payout in ours:
        first = refunded.get(min(payout.funded_by))
        if first is not None:
            owed[first.pk] = (first, payout.amount_minor)
    post_entries(
        [written_off_entry(deposit, amount=Money(minor, deposit.asset), at=at) for deposit, minor in owed.values()]
    )
    close_promise(order, at=at)


def _close_order(order: Order, at: datetime, actor: str) -> None:
    if order.state in (states.SENT, *states.RESTING):
        order.exception = states.NONE
        turn = turn_of(order, order.state, at)
        note(order, actor=actor, reason=Reason.WRITTEN_OFF, at=at, exception=states.NONE, turn=turn)
        return
    move(
        order,
        states.EXPIRED,
        actor=actor,
        reason=Reason.WRITTEN_OFF,
        at=at,
        exception=states.NONE,
        hold=states.NO_HOLD,
        turn=NOBODYS,
    )


def restore_written_off(order: Order, outputs: Sequence[Deposit], *, at: datetime) -> bool:
    """Take back the write-off of a locked order's deposits that the chain has again: they wait for their owner.

    A refund that was rejected then is the operator's to ask for anew, by `redirect`. False when none was written off.
    """
    references = {written_off_reference(output): output for output in outputs}
    entries = Entry.objects.filter(reference__in=references, reversed_by=None)
    found = list(entries.order_by("pk").values_list("reference", flat=True))
    for reference in found:
        reverse_entry(reference=reference, reason="mined again", at=at)
    back = [references[reference] for reference in found]
    wait = [output for output in back if output.disposition in (wallet_states.CREDIT, wallet_states.WAITING)]
    if wait:
        deadline = at + policy.WAITING_WINDOW
        decide_anew(wait, reason=states.SECOND, deadline=deadline, next_actor=states.CUSTOMER)
    return bool(found)
