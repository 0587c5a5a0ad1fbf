"""What an owner asked for and a worker carries out: pages and API write a choice, the worker moves the money.

The web process may write no payout, deposit or entry of the books. A choice is written after every check that reading
allows; the worker makes all of them again under locks. Its refusal is kept with the choice and shown to the owner.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from core.each import for_each, next_page
from core.errors import DomainError
from core.locks import lock_rows
from ledger.post import InsufficientFunds
from orders import policy, states
from orders.addresses import RefundAddressSet
from orders.models import Choice, Order
from orders.reasons import Reason
from orders.refund import (
    AddressesDiffer,
    DepositTooSmall,
    RefundNotPossible,
    payment_outputs,
    plan_refund,
    refund_payment,
    unsigned_payouts,
)
from orders.transition import note
from orders.turn import Turn, machines_turn, turn_of
from wallets.address_rules import AddressInvalid
from wallets.addresses import AddressIsOurs

REFUND = "refund"
DONE = "done"


class RefundAsked(DomainError):
    code = "refund_asked_already"
    message = _("This refund is already on its way to the address that was given first.")


def ask_for_refund(
    *, order_reference: str, deposit_id: int, address: str, address_repeated: str, at: datetime, actor: str
) -> Choice:
    """Write down that the owner wants a payment back at an address typed twice; a worker sends it.

    Locks the order. Safe to repeat with the same address: one open choice per payment is unique in the database.

    An address that the order has already is where it goes. SQL holds that, and that the refund is offered, whoever asks
    (orders_check_choice): the worker takes what is written down for the owner's word.

    Raises: RefundNotPossible, RefundAsked, RefundAddressSet, AddressesDiffer, AddressInvalid and kin, AddressIsOurs,
    DepositTooSmall.
    """
    if address.strip() != address_repeated.strip():
        raise AddressesDiffer
    with transaction.atomic():
        (orders,) = lock_rows(Order.objects.filter(reference=order_reference).select_related("send_asset"))
        if not orders:
            raise RefundNotPossible
        order = orders[0]
        outputs = list(payment_outputs(order_reference, deposit_id).select_related("asset").order_by("pk"))
        plan = plan_refund(order, outputs, address)
        open_one = Choice.objects.filter(deposit=outputs[0], kind=REFUND, done_at=None).first()
        if open_one is not None:
            if open_one.address != plan.address:
                raise RefundAsked
            return open_one
        if order.refund_address not in ("", plan.address):
            raise RefundAddressSet
        choice = Choice.objects.create(
            order=order, deposit=outputs[0], kind=REFUND, address=plan.address, actor=actor, asked_at=at
        )
        turn = machines_turn(at) if order.next_actor in (states.CUSTOMER, states.NOBODY) else None
        note(order, actor=actor, reason=Reason.REFUND_ASKED, at=at, turn=turn)
        return choice


def carry_out_choices(*, chain: str, at: datetime, limit: int = 200) -> int:
    """Carry out the open choices of orders that were paid on `chain`, oldest first; return how many were."""
    choices = Choice.objects.filter(done_at=None, order__send_asset__network=chain)
    rows = next_page(f"choices:{chain}", choices.values_list("pk", "order__reference", "deposit_id"), limit=limit)
    return for_each(rows, lambda row: carry_out(choice_id=row[0], reference=row[1], deposit_id=row[2], at=at))


def carry_out(*, choice_id: int, reference: str, deposit_id: int, at: datetime) -> bool:
    """Carry out one choice, refuse it, or leave it until our coins suffice. Locks order, choice, outputs. Safe to repeat."""
    try:
        with transaction.atomic():
            (orders, choices, outputs, unsigned) = lock_rows(
                Order.objects.filter(reference=reference).select_related("send_asset"),
                Choice.objects.filter(pk=choice_id, done_at=None),
                payment_outputs(reference, deposit_id).select_related("asset"),
                unsigned_payouts(reference),
            )
            if not choices:
                return False
            refund_payment(orders[0], outputs, unsigned, choices[0].address, at=at, actor=choices[0].actor)
            _finish(choices[0], DONE, {}, at)
            return True
    except InsufficientFunds:
        return _wait(reference, choice_id, at)
    except DomainError as refusal:
        return _refuse(reference, choice_id, refusal, at)


@transaction.atomic
def _wait(reference: str, choice_id: int, at: datetime) -> bool:
    """Our coins do not suffice for the refund now: it stays asked for, and the operator is told, once."""
    (orders, choices) = lock_rows(
        Order.objects.filter(reference=reference), Choice.objects.filter(pk=choice_id, done_at=None, problem="")
    )
    if choices:
        choices[0].problem = "liquidity_short"
        choices[0].save(update_fields=("problem",))
        turn = Turn(states.OPERATOR, at + policy.LIQUIDITY_WINDOW)
        note(orders[0], actor="machine", reason=Reason.WAITING_LIQUIDITY, at=at, turn=turn)
    return False


@transaction.atomic
def _refuse(reference: str, choice_id: int, refusal: DomainError, at: datetime) -> bool:
    (orders, choices) = lock_rows(
        Order.objects.filter(reference=reference), Choice.objects.filter(pk=choice_id, done_at=None)
    )
    if choices:
        order = orders[0]
        _finish(choices[0], refusal.code, refusal.context, at)
        turn = turn_of(order, order.state, at)
        note(order, actor="machine", reason=Reason.REFUND_REFUSED, at=at, turn=turn)
    return False


def _finish(choice: Choice, outcome: str, details: dict[str, object], at: datetime) -> None:
    choice.done_at, choice.outcome = at, outcome
    choice.details = {name: str(value) for name, value in details.items()}
    choice.save(update_fields=("done_at", "outcome", "details"))


_REFUSALS: tuple[type[DomainError], ...] = (RefundNotPossible, DepositTooSmall, AddressIsOurs, AddressInvalid)


def explain(outcome: str, details: dict[str, str]) -> str:
    """Say in the reader's language why a worker refused a choice; "" when it was carried out, or is still open."""
    if outcome in ("", DONE):
        return ""
    for refusal in _REFUSALS:
        if refusal.code == outcome:
            return str(refusal(**details))
    return str(_("The refund could not be made. Please try again, or write to us with the number of this order."))
