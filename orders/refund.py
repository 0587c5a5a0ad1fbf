"""Send a waiting deposit back, in its own asset, to an address that the owner typed twice, less the network fee."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from core.locks import lock_rows
from core.money import Money
from ledger.post import InsufficientFunds, post_entries
from ledger.reverse import reverse_entry
from orders import states
from orders.journal import exchange_reference, refund_fee_entry
from orders.limits import LiquidityShort
from orders.models import Order
from orders.reasons import Reason
from orders.reserves import read_reserves
from orders.transition import move, note
from wallets import states as wallet_states
from wallets.addresses import check_customer_address, refuse_own_addresses
from wallets.deposits import decide
from wallets.models import Deposit, Payout
from wallets.payouts import debt_of, request_payout


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


def refund_offered(order: Order) -> bool:
    """Say whether the owner may have a credited deposit back: it waited for our coins until its deadline; pure."""
    return order.hold_reason == states.LIQUIDITY and order.next_actor == states.CUSTOMER


def ask_refund(
    *, order_reference: str, deposit_id: int, address: str, address_repeated: str, at: datetime, actor: str
) -> Payout:
    """Refund a WAITING deposit, or a credited one that we could not pay out for want of coins.

    Locks the order, then the deposit; the second of two requests finds it decided. The customer's claim pays the
    network fee that is expected; what sending really costs, up to its cap, is the house's, all of it when the fault is ours.

    Raises: RefundNotPossible, AddressesDiffer, AddressInvalid and kin, AddressIsOurs, DepositTooSmall, LiquidityShort.
    """
    if address.strip() != address_repeated.strip():
        raise AddressesDiffer
    try:
        with transaction.atomic():
            (orders, deposits) = lock_rows(
                Order.objects.filter(reference=order_reference).select_related("send_asset"),
                Deposit.objects.filter(pk=deposit_id, owner_ref=order_reference).select_related("asset"),
            )
            if not orders or not deposits:
                raise RefundNotPossible
            return _refund(orders[0], deposits[0], address, at, actor)
    except InsufficientFunds as error:
        raise LiquidityShort(asset=_asset_code(deposit_id)) from error


def _asset_code(deposit_id: int) -> str:
    return Deposit.objects.values_list("asset_id", flat=True).get(pk=deposit_id)


def _refund(order: Order, deposit: Deposit, address: str, at: datetime, actor: str) -> Payout:
    free = refund_offered(order) and deposit.disposition == wallet_states.CREDIT
    waiting = deposit.disposition == wallet_states.WAITING
    if deposit.state != wallet_states.CONFIRMED or not (waiting or free):
        raise RefundNotPossible
    target = check_customer_address(chain=deposit.chain, text=address, field="address")
    refuse_own_addresses(chain_addresses={"address": (deposit.chain, target)})
    reserve = read_reserves()[deposit.asset_id]
    fee = reserve.network_fee
    amount = Money(deposit.amount_minor, deposit.asset)
    if not free:
        amount -= fee
    if amount.minor <= deposit.asset.dust_minor:
        raise DepositTooSmall(fee=str(fee))
    decide(deposit, wallet_states.REFUND, reason="refund_asked")
    also: tuple[str, ...] = ()
    if not order.refund_address:
        order.refund_address, also = target, ("refund_address",)
    standing = free or order.state in (states.CONFIRMING, states.REFUND_FAILED)
    if standing:
        hold = states.NO_HOLD if free else None
        move(order, states.REFUNDING, actor=actor, reason=Reason.REFUND_ASKED, at=at, hold=hold, also=also)
    else:
        note(order, actor=actor, reason=Reason.REFUND_ASKED, at=at, also=also)
    if free:
        reverse_entry(reference=exchange_reference(order), reason="no liquidity", at=at)
    else:
        post_entries([refund_fee_entry(deposit, fee=fee, at=at)])
    return request_payout(
        purpose=refund_purpose(deposit.pk),
        owner_ref=order.reference,
        address=target,
        amount=amount,
        fee_cap=reserve.fee_cap,
        funded_by=[deposit.pk],
        at=at,
    )


def follow_refund(order: Order, payout: Payout, *, at: datetime) -> None:
    """Bring a locked order up to date with the payout of a refund; an order that was exchanged stays as it is."""
    if order.state != states.REFUNDING:
        return
    if payout.state == wallet_states.CONFIRMED:
        refunds = Payout.objects.filter(owner_ref=order.reference, purpose__startswith="deposit:")
        known = [(debt_of(purpose), state) for purpose, state in refunds.values_list("purpose", "state")]
        paid = {debt for debt, state in known if state == wallet_states.CONFIRMED}
        if all(debt in paid for debt, _state in known):
            move(order, states.REFUNDED, actor="machine", reason=Reason.REFUND_CONFIRMED, at=at)
    elif payout.state in (wallet_states.REJECTED, wallet_states.REVERTED):
        reason = Reason(f"refund_{payout.state.lower()}")
        move(order, states.REFUND_FAILED, actor="machine", reason=reason, at=at)
