"""Ask anew for the debt of a payout that the chain took and failed: the operator's verb."""

from datetime import datetime

from django.db import transaction

from core.locks import lock_rows
from ledger.post import InsufficientFunds
from orders import states
from orders.models import Order
from orders.offer import LiquidityShort
from orders.payout import settle_purpose
from orders.reasons import Reason
from orders.transition import move, note
from orders.turn import machines_turn
from wallets.models import Payout
from wallets.paying.again import ask_again
from wallets.payouts import debt_of


def pay_again(*, payout_id: int, at: datetime, actor: str, by: str, because: str) -> Payout:
    """Pay the debt of a REVERTED payout by a new intent at the same address, and let its order go on.

    Locks the order, then the payout; the second of two requests finds the first one's intent in its place.

    Raises: PayoutCannotBeAskedAgain, LiquidityShort.
    """
    reference, asset = Payout.objects.values_list("owner_ref", "asset_id").get(pk=payout_id)
    try:
        with transaction.atomic():
            (orders,) = lock_rows(Order.objects.filter(reference=reference).select_related("send_asset", "get_asset"))
            fresh = ask_again(payout_id=payout_id, at=at, by=by, because=because)
            if orders:
                _go_on(orders[0], fresh, at, actor)
            return fresh
    except InsufficientFunds as error:
        raise LiquidityShort(asset=asset) from error


def _go_on(order: Order, fresh: Payout, at: datetime, actor: str) -> None:
    if debt_of(fresh.purpose) == settle_purpose(order.reference):
        note(order, actor=actor, reason=Reason.PAYOUT_REQUESTED, at=at, turn=machines_turn(at))
    elif order.state == states.REFUND_FAILED:
        move(order, states.REFUNDING, actor=actor, reason=Reason.REFUND_ASKED, at=at)
    else:
        note(order, actor=actor, reason=Reason.REFUND_ASKED, at=at, turn=machines_turn(at))
