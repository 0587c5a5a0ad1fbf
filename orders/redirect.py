"""Send a payout that did not reach its address anew: the operator's answer to a rejected, stuck or reverted one."""

from datetime import datetime

from django.db import transaction

from core.locks import lock_rows
from ledger.post import InsufficientFunds
from orders import states
from orders.models import Order
from orders.offer import LiquidityShort
from orders.payout import settle_purpose
from orders.reasons import Reason
from orders.refund import AddressesDiffer
from orders.transition import move, note
from orders.turn import machines_turn
from wallets.addresses import check_customer_address, refuse_own_addresses
from wallets.models import Payout
from wallets.payouts import PayoutNotRedirectable, debt_of, redirect_payout
from wallets.states import REQUESTED


def send_elsewhere(
    *, order_reference: str, payout_id: int, address: str, address_repeated: str, at: datetime, actor: str
) -> Payout:
    """Pay an order's exchange or refund to an address that the owner gave, instead of where it could not go.

    The same address again is an answer to one that was rejected, or that the chain took and failed.

    Locks the order, then the payout. The old intent stays as it was, rejected; the transition says who sent it elsewhere.
    The second of two requests finds the first one's intent in its place.

    Raises: PayoutNotRedirectable, AddressesDiffer, AddressInvalid and kin, AddressIsOurs, LiquidityShort.
    """
    if address.strip() != address_repeated.strip():
        raise AddressesDiffer
    try:
        with transaction.atomic():
            (orders, payouts) = lock_rows(
                Order.objects.filter(reference=order_reference).select_related("send_asset", "get_asset"),
                Payout.objects.filter(pk=payout_id, owner_ref=order_reference).select_related("asset"),
            )
            if not orders or not payouts:
                raise PayoutNotRedirectable(reason="this order has no such payout")
            return _redirect(orders[0], payouts[0], address, at, actor)
    except InsufficientFunds as error:
        code = Payout.objects.values_list("asset_id", flat=True).get(pk=payout_id)
        raise LiquidityShort(asset=code) from error


def _redirect(order: Order, payout: Payout, address: str, at: datetime, actor: str) -> Payout:
    target = check_customer_address(chain=payout.chain, text=address, field="address")
    if target == payout.address and payout.state == REQUESTED:
        raise PayoutNotRedirectable(reason="this is the address it goes to already")
    refuse_own_addresses(chain_addresses={"address": (payout.chain, target)})
    settles = debt_of(payout.purpose) == settle_purpose(order.reference)
    if settles and order.state not in (states.PAYING, states.SENT, states.COMPLETED):
        # Its payout was rejected because the deposit went back, or was lost: nothing is owed there any more.
        raise PayoutNotRedirectable(reason="the exchange was taken back")
    if settles:
        order.payout_address, field, waits = target, "payout_address", order.state in (states.PAYING, states.SENT)
    else:
        order.refund_address, field = target, "refund_address"
        waits = order.state in (states.REFUNDING, states.REFUND_FAILED, *states.RESTING)
    reason = Reason.PAYOUT_REDIRECTED if settles else Reason.REFUND_REDIRECTED
    if order.state == states.REFUND_FAILED and not settles:
        move(order, states.REFUNDING, actor=actor, reason=reason, at=at, also=(field,))
    else:
        # An order that stood still because of this payout goes on by itself; any other is left as it is.
        turn = machines_turn(at) if waits else None
        note(order, actor=actor, reason=reason, at=at, turn=turn, also=(field,))
    return redirect_payout(payout, address=target, at=at)
