"""Send a waiting deposit back, in its own asset, to an address that the owner typed twice, less the network fee."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from core.locks import lock_rows
from core.money import Money
from ledger.post import InsufficientFunds, post_entries
from ledger.reverse import reverse_entry
from orders import states
from orders.actions import may_refund, refund_offered
from orders.journal import exchange_reference, refund_fee_entry
from orders.models import Order
from orders.offer import LiquidityShort, read_fees
from orders.promises import close_promise
from orders.reasons import Reason
from orders.transition import move, note
from orders.turn import machines_turn, operators_turn, turn_of
from wallets import states as wallet_states
from wallets.addresses import check_customer_address, refuse_own_addresses
from wallets.chains.networks import find_network
from wallets.deposits import decide
from wallets.models import Deposit, Payout
from wallets.payouts import clear_payout_news, debt_of, reject_payout, request_payout


class RefundNotPossible(DomainError):
    code = "refund_not_possible"
    message = _("This deposit is not waiting for a decision, so it cannot be refunded.")


class AddressesDiffer(DomainError):
    code = "addresses_differ"
    message = _("The two refund addresses differ. Type or paste the same address twice.")
    field = "address_repeated"


class DepositTooSmall(DomainError):
    code = "deposit_too_small"
    message = _("The deposit does not cover the network fee of %(fee)s for sending it back.")


def refund_purpose(deposit_id: int) -> str:
    """Name the debt of a deposit that is sent back: unique for ever, so it is sent back once."""
    return f"deposit:{deposit_id}:refund"


def ask_refund(
    *, order_reference: str, deposit_id: int, address: str, address_repeated: str, at: datetime, actor: str
) -> Payout:
    """Refund the payment of a WAITING deposit, or a credited one that we could not pay out for want of coins.

    A payment goes back whole, whichever of its outputs is named, in one transaction with one fee. Locks the order, then
    the outputs; the second of two requests finds them decided. The customer's claim pays the expected network fee; when
    the fault is ours, the house pays it.

    Raises: RefundNotPossible, AddressesDiffer, AddressInvalid and kin, AddressIsOurs, DepositTooSmall, LiquidityShort.
    """
    if address.strip() != address_repeated.strip():
        raise AddressesDiffer
    try:
        with transaction.atomic():
            (orders, outputs, unsigned) = lock_rows(
                Order.objects.filter(reference=order_reference).select_related("send_asset"),
                payment_outputs(order_reference, deposit_id).select_related("asset"),
                unsigned_payouts(order_reference),
            )
            if not orders or not outputs:
                raise RefundNotPossible
            return refund_payment(orders[0], outputs, unsigned, address, at=at, actor=actor)
    except InsufficientFunds as error:
        raise LiquidityShort(asset=_asset_code(deposit_id)) from error


def _asset_code(deposit_id: int) -> str:
    return Deposit.objects.values_list("asset_id", flat=True).get(pk=deposit_id)


def payment_outputs(order_reference: str, deposit_id: int) -> QuerySet[Deposit]:
    """Select all that the transaction of a deposit paid to the order and that was decided alike: it goes back together."""
    named = Deposit.objects.filter(pk=deposit_id, owner_ref=order_reference)
    alike = Deposit.objects.filter(owner_ref=order_reference, txid__in=named.values("txid"))
    return alike.filter(disposition__in=named.values("disposition"))


@dataclass(frozen=True, slots=True)
class RefundPlan:
    """Where a payment would go back to, what its owner would get and pay for it, and what sending may cost us."""

    address: str
    amount: Money
    fee: Money  # nothing when the fault is ours
    fee_cap: Money
    free: bool


def unsigned_payouts(order_reference: str) -> QuerySet[Payout]:
    """Select the payouts of an order that were asked for and are not signed."""
    requested = Payout.objects.filter(owner_ref=order_reference, state=wallet_states.REQUESTED)
    return requested.select_related("asset")


def plan_refund(order: Order, outputs: Sequence[Deposit], address: str) -> RefundPlan:
    """Check whether a payment may go back to an address now, by reading alone: two statements.

    Raises: RefundNotPossible, AddressInvalid and kin, AddressIsOurs, DepositTooSmall.
    """
    if not outputs:
        raise RefundNotPossible
    first = outputs[0]
    offered = refund_offered(state=order.state, hold=order.hold_reason, next_actor=order.next_actor)
    # An owner who has asked already took the offer: the turn is the machine's, and it stands.
    asked = order.state in _OFFERS and order.choices.filter(deposit=first, done_at=None).exists()
    if not all(may_refund(output.disposition, output.state, offered=offered or asked) for output in outputs):
        raise RefundNotPossible
    target = check_customer_address(chain=first.chain, text=address, field="address")
    refuse_own_addresses(chain_addresses={"address": (first.chain, target)})
    fees = read_fees(first.asset)
    free = first.disposition == wallet_states.CREDIT
    fee = Money(0, first.asset) if free else fees.expected
    amount = Money(sum(output.amount_minor for output in outputs), first.asset) - fee
    if not can_be_sent(amount):
        raise DepositTooSmall(fee=str(fees.expected))
    return RefundPlan(target, amount, fee, fees.cap, free)


_OFFERS = (states.EXCHANGING, states.PAYING)  # where a credited payment may go back, once that was offered


def refund_payment(
    order: Order,
    outputs: Sequence[Deposit],
    unsigned: Sequence[Payout],
    address: str,
    *,
    at: datetime,
    actor: str,
) -> Payout:
    """Send a locked order's locked payment back, in the caller's transaction.

    `unsigned`: the order's locked payouts that were asked for and not signed; what a credited payment was to pay is
    rejected, so that only one of the two is ever paid.

    Raises: RefundNotPossible, AddressInvalid and kin, AddressIsOurs, DepositTooSmall; InsufficientFunds.
    """
    plan = plan_refund(order, outputs, address)
    first = outputs[0]
    if plan.free and order.state == states.PAYING:
        _call_back(order, unsigned, at)
    decide(outputs, wallet_states.REFUND, reason="refund_asked")
    also: tuple[str, ...] = ()
    if not order.refund_address:
        order.refund_address, also = plan.address, ("refund_address",)
    if plan.free or order.state in (states.CONFIRMING, states.REFUND_FAILED, states.REFUNDED):
        hold = states.NO_HOLD if plan.free else None
        move(order, states.REFUNDING, actor=actor, reason=Reason.REFUND_ORDERED, at=at, hold=hold, also=also)
    else:
        # An order that is over otherwise is the machine's again until the refund has arrived.
        turn = machines_turn(at) if order.state in states.RESTING else None
        note(order, actor=actor, reason=Reason.REFUND_ORDERED, at=at, turn=turn, also=also)
    if plan.free:
        close_promise(order, at=at)  # it was kept for a payout that will not be asked for
        reverse_entry(reference=exchange_reference(order), reason="no liquidity", at=at)
    else:
        post_entries([refund_fee_entry(first, fee=plan.fee, at=at)])
    return request_payout(
        purpose=refund_purpose(first.pk),
        owner_ref=order.reference,
        address=plan.address,
        amount=plan.amount,
        fee_cap=plan.fee_cap,
        funded_by=[output.pk for output in outputs],
        at=at,
    )


def _call_back(order: Order, unsigned: Sequence[Payout], at: datetime) -> None:
    """Reject the order's payout, which waited in vain for a signature. Raises: RefundNotPossible when it has one."""
    settling = [payout for payout in unsigned if payout.purpose.startswith(f"order:{order.reference}:")]
    if len(settling) != 1 or settling[0].attempts.exists():
        raise RefundNotPossible
    reject_payout(settling[0], problem="refunded instead: it was not signed in time", at=at)
    clear_payout_news(settling[0])


def can_be_sent(amount: Money) -> bool:
    """Say whether a network relays a payment of `amount`; what is less waits for a lower fee."""
    return amount.minor >= find_network(amount.asset.network).least_output_minor


def follow_refund(order: Order, payout: Payout, *, at: datetime) -> None:
    """Bring a locked order up to date with the payout of a refund."""
    failed = payout.state in (wallet_states.REJECTED, wallet_states.REVERTED)
    reason = Reason(f"refund_{payout.state.lower()}") if failed else Reason.REFUND_CONFIRMED
    if not failed and payout.state != wallet_states.CONFIRMED:
        return
    if order.state == states.REFUND_FAILED and not failed and refunds_arrived(order):
        # What failed was asked for again by itself, and has arrived.
        move(order, states.REFUNDING, actor="machine", reason=Reason.REFUND_ORDERED, at=at)
    if order.state != states.REFUNDING:
        # It was exchanged, or another of its refunds failed: it stays what it is, and the turn is worked out anew.
        over = order.state in states.RESTING
        turn = turn_of(order, order.state, at) if over else operators_turn(at) if failed else None
        note(order, actor="machine", reason=reason, at=at, turn=turn)
    elif failed:
        move(order, states.REFUND_FAILED, actor="machine", reason=reason, at=at)
    elif refunds_arrived(order):
        turn = turn_of(order, states.REFUNDED, at)
        move(order, states.REFUNDED, actor="machine", reason=reason, at=at, turn=turn)


def refunds_arrived(order: Order) -> bool:
    """Say whether every refund of the order is confirmed: one statement."""
    refunds = Payout.objects.filter(owner_ref=order.reference, purpose__startswith="deposit:")
    known = [(debt_of(purpose), state) for purpose, state in refunds.values_list("purpose", "state")]
    paid = {debt for debt, state in known if state == wallet_states.CONFIRMED}
    return all(debt in paid for debt, _state in known)
