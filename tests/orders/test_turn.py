"""Who acts next on an order and until when: by its state and hold, and by what stands around it."""

from datetime import timedelta

import pytest

from orders import policy, states
from orders.models import Order
from orders.turn import NOBODYS, Turn, machines_turn, operators_turn, turn_of, usual_turn
from tests.orders.conftest import NOW
from tests.orders.rows import follow, open_one, pay, reload
from wallets import states as w
from wallets.models import Deposit, Payout

DUE = NOW + timedelta(minutes=20)
HOUR, SIX_HOURS, THREE_DAYS = NOW + timedelta(hours=1), NOW + timedelta(hours=6), NOW + timedelta(days=3)
MACHINE, OPERATOR, CUSTOMER = (
    Turn(states.MACHINE, HOUR),
    Turn(states.OPERATOR, THREE_DAYS),
    Turn("customer", THREE_DAYS),
)

USUAL = [
    (states.AWAITING_DEPOSIT, "", Turn(states.CUSTOMER, DUE)),
    (states.CONFIRMING, "", MACHINE),
    (states.EXCHANGING, "", MACHINE),
    (states.EXCHANGING, states.LIQUIDITY, Turn(states.OPERATOR, SIX_HOURS)),
    (states.EXCHANGING, states.ADDRESS, CUSTOMER),
    (states.PAYING, states.LIQUIDITY, MACHINE),  # a hold counts only before coins are reserved
    (states.PAYING, states.ADDRESS, MACHINE),
    (states.SENT, "", MACHINE),
    (states.REFUNDING, "", MACHINE),
    (states.REFUND_FAILED, "", OPERATOR),
    *[(state, "", NOBODYS) for state in states.RESTING],
]


@pytest.mark.parametrize(("state", "hold", "turn"), USUAL)
def test_whose_turn_a_state_usually_is(state: str, hold: str, turn: Turn) -> None:
    assert usual_turn(Order(state=state, hold_reason=hold, payment_deadline=DUE), state, NOW) == turn


def test_a_turn_that_is_handed_over_ends_after_its_window() -> None:
    assert (operators_turn(NOW), machines_turn(NOW)) == (OPERATOR, MACHINE)


def payout(order: Order, purpose: str, state: str) -> Payout:
    return Payout.objects.create(
        purpose=purpose,
        chain="ethereum",
        asset=order.get_asset,
        owner_ref=order.reference,
        address=order.payout_address,
        amount_minor=1,
        fee_cap_minor=0,
        reserved_minor=1,
        state=state,
        requested_at=NOW,
    )


# the order's state, its payouts as (debt, state) in order, and whose turn it is
DEBTS: list[tuple[str, list[tuple[str, str]], Turn]] = [
    (states.COMPLETED, [], NOBODYS),
    (states.COMPLETED, [("order", w.CONFIRMED)], NOBODYS),
    (states.COMPLETED, [("order", w.BROADCAST)], MACHINE),
    (states.COMPLETED, [("order", w.REQUESTED)], MACHINE),
    *[(states.COMPLETED, [("order", failed)], OPERATOR) for failed in (w.REJECTED, w.REVERTED, w.IN_DOUBT)],
    (states.COMPLETED, [("order", w.CONFIRMED), ("deposit:1", w.REVERTED)], OPERATOR),
    (states.COMPLETED, [("order", w.CONFIRMED), ("deposit:1", w.SIGNED)], MACHINE),
    (states.COMPLETED, [("deposit:1", w.SIGNED), ("deposit:2", w.REJECTED)], OPERATOR),
    # the latest intent of a debt counts, and one that arrived settles it whatever came after
    (states.COMPLETED, [("order", w.REJECTED), ("order again", w.BROADCAST)], MACHINE),
    (states.COMPLETED, [("order", w.REJECTED), ("order again", w.CONFIRMED)], NOBODYS),
    (states.COMPLETED, [("order", w.CONFIRMED), ("order again", w.REJECTED)], NOBODYS),
    # where the exchange was taken back its payout is no debt; a refund is one in every state
    (states.EXPIRED, [("order", w.REJECTED)], NOBODYS),
    (states.REFUNDED, [("order", w.REJECTED), ("deposit:1", w.CONFIRMED)], NOBODYS),
    (states.EXPIRED, [("deposit:1", w.REJECTED)], OPERATOR),
    (states.REFUNDED, [("deposit:1", w.BROADCAST)], MACHINE),
    # an order under way is not stopped by them
    (states.PAYING, [("order", w.REJECTED)], MACHINE),
]


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(("state", "debts", "turn"), DEBTS)
def test_a_debt_that_is_not_paid_keeps_an_order_open(state: str, debts: list[tuple[str, str]], turn: Turn) -> None:
    order = open_one()
    settle = f"order:{order.reference}:settle"
    names = {
        "order": settle,
        "order again": f"{settle}/2",
        "deposit:1": "deposit:1:refund",
        "deposit:2": "deposit:2:refund",
    }
    for debt, payout_state in debts:
        payout(order, names[debt], payout_state)

    assert turn_of(reload(order), state, NOW) == turn


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("state", [states.CONFIRMING, *states.RESTING])
@pytest.mark.parametrize("on_chain", [True, False])
def test_a_deposit_that_waits_is_its_next_actors_until_its_deadline(state: str, on_chain: bool) -> None:
    order = open_one()
    first, second = (follow(pay(order, order.send_minor // 2)) for _ in range(2))
    Deposit.objects.filter(pk=first.pk).update(deadline=NOW + timedelta(days=2), next_actor=states.OPERATOR)
    soonest = Turn(states.OPERATOR, NOW + timedelta(days=2))
    assert second.deadline == NOW + policy.WAITING_WINDOW
    if on_chain:
        assert turn_of(reload(order), state, NOW) == soonest
        return
    Deposit.objects.filter(owner_ref=order.reference).update(state=w.REMOVED)
    assert turn_of(reload(order), state, NOW) == usual_turn(reload(order), state, NOW)
    lost = reload(order)
    lost.exception = states.REORG
    assert turn_of(lost, state, NOW) == OPERATOR


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("state", [states.EXCHANGING, states.PAYING, states.SENT, states.REFUNDING])
def test_a_second_deposit_that_waits_stops_no_order_under_way(state: str) -> None:
    order = open_one()
    follow(pay(order, order.send_minor // 2))

    assert turn_of(reload(order), state, NOW) == MACHINE
