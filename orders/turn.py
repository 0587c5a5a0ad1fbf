"""Who acts next on an order and until when, so that no order is open, and none over, with something left and nobody next."""

from dataclasses import dataclass
from datetime import datetime

from orders import policy, states
from orders.models import Order
from wallets import states as wallet_states
from wallets.models import Deposit, Payout
from wallets.payouts import debt_of


@dataclass(frozen=True, slots=True)
class Turn:
    """Who acts next and until when; nobody has no deadline."""

    actor: str
    until: datetime | None


NOBODYS = Turn(states.NOBODY, None)


def operators_turn(at: datetime) -> Turn:
    """Hand something to the operator."""
    return Turn(states.OPERATOR, at + policy.WAITING_WINDOW)


def machines_turn(at: datetime) -> Turn:
    """Let it go on by itself."""
    return Turn(states.MACHINE, at + policy.MACHINE_WINDOW)


def usual_turn(order: Order, state: str, at: datetime) -> Turn:
    """Return who acts next once `order` is in `state`, nothing else being in the way; pure."""
    if state in states.RESTING:
        return NOBODYS
    if state == states.AWAITING_DEPOSIT:
        return Turn(states.CUSTOMER, order.payment_deadline)
    if state == states.REFUND_FAILED:
        return operators_turn(at)
    if state == states.EXCHANGING and order.hold_reason == states.ADDRESS:
        return Turn(states.CUSTOMER, at + policy.WAITING_WINDOW)
    if state == states.EXCHANGING and order.hold_reason == states.LIQUIDITY:
        return Turn(states.OPERATOR, at + policy.LIQUIDITY_WINDOW)
    return machines_turn(at)


def turn_of(order: Order, state: str, at: datetime) -> Turn:
    """Return who acts next once `order` is in `state`, deposits and payouts looked at: two statements at most.

    1. A deposit that the chain took away is the operator's.
    2. A deposit that waits for a decision stops an order that confirms, and keeps one open that is over otherwise.
    3. So does a payment of ours that is not confirmed: one under way is the machine's, one that failed the operator's.
    """
    if order.exception == states.REORG:
        return operators_turn(at)
    if state in (states.CONFIRMING, *states.RESTING):
        waiting = Deposit.objects.filter(owner_ref=order.reference, disposition=wallet_states.WAITING)
        # One that the chain took away is a case (1), until it is written off and nobody's.
        waiting = waiting.filter(state=wallet_states.CONFIRMED)
        deposit = waiting.order_by("deadline", "pk").first()
        if deposit is not None:
            return Turn(deposit.next_actor, deposit.deadline)
    if state in states.RESTING:
        unpaid = _unpaid_debts(order.reference, exchanged=state == states.COMPLETED)
        if unpaid & _FAILED:
            return operators_turn(at)
        if unpaid:
            return machines_turn(at)
    return usual_turn(order, state, at)


_FAILED = {wallet_states.REJECTED, wallet_states.REVERTED, wallet_states.IN_DOUBT}


def _unpaid_debts(reference: str, *, exchanged: bool) -> set[str]:
    """Return the states of the latest intents of the order's debts that no payment of ours has settled.

    Where the exchange was taken back, its payout, rejected, is no debt any more.
    """
    latest: dict[str, str] = {}
    paid = set()
    for purpose, state in Payout.objects.filter(owner_ref=reference).order_by("pk").values_list("purpose", "state"):
        latest[debt_of(purpose)] = state
        if state == wallet_states.CONFIRMED:
            paid.add(debt_of(purpose))
    return {s for debt, s in latest.items() if debt not in paid and (exchanged or debt.startswith("deposit:"))}
