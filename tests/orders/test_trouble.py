"""An order that waits says what for, since when, until when and what happens then: to its owner, on page and API alike."""

from datetime import timedelta

import pytest

from orders import states, trouble
from orders.choices import ask_for_refund
from orders.expire import offer_refunds
from orders.models import Choice, Order
from orders.payout import request_order_payout
from orders.reads import OrderView, build_view
from orders.trouble import Trouble, find_trouble
from tests.orders.conftest import NOW
from tests.orders.rows import LTC_ADDRESS, follow, open_one, pay, reload, remove
from wallets.models import Payout

pytestmark = pytest.mark.usefixtures("site")
SIX_HOURS, THREE_DAYS = timedelta(hours=6), timedelta(hours=72)


def view_of(order: Order, *, is_owner: bool = True) -> OrderView:
    return build_view(reload(order), at=NOW, is_owner=is_owner)


def paying() -> Order:
    order = open_one()
    follow(pay(order))
    assert request_order_payout(reference=order.reference, at=NOW)
    return order


HELD = [
    ("ceiling: 5 is over the ceiling of a day, 4", trouble.CEILING),
    ("above_price: 5 is more than 15 % above what its deposits are worth now, 4", trouble.CEILING),
    ("behind_in_lane: nonce 4 waits for nonce 3", trouble.LANE),
    ("lane_over_cap: x", trouble.LANE),
    ("lane_ceiling: x", trouble.LANE),
    ("waits_for_parent: x", trouble.LANE),
    ("frozen: payouts of this asset are frozen", trouble.STOPPED),
    ("funding_unconfirmed: x", trouble.FUNDING),
    ("funding_chain_unread: x", trouble.NETWORK),
    ("node_silent: timed out", trouble.NETWORK),
    ("fee_refused: min relay fee not met", trouble.FEE),
    ("fee_over_cap: x", trouble.FEE),
    ("coins_short: x", trouble.COINS),
    ("something new", trouble.TEAM),
]


@pytest.mark.parametrize(("problem", "what"), HELD)
def test_a_payout_that_does_not_move_says_why_and_when_it_ends(problem: str, what: str) -> None:
    order = paying()
    Payout.objects.update(problem=problem)
    assert find_trouble(view_of(order)) == Trouble(what, NOW, NOW + SIX_HOURS, trouble.REFUND)
    assert find_trouble(view_of(order, is_owner=False)) is None

    offer_refunds(at=NOW + SIX_HOURS + timedelta(seconds=1))
    assert find_trouble(view_of(order)) == Trouble(what, NOW, None, trouble.NOTHING)
    assert any(move.startswith("refund:") for move in view_of(order).may)


def test_nothing_is_the_matter_with_an_order_that_goes_its_way() -> None:
    order = open_one()
    assert find_trouble(view_of(order)) is None
    deposit = follow(pay(order, state="SEEN"))
    assert deposit.pk
    assert find_trouble(view_of(order)) is None
    assert find_trouble(view_of(paying())) is None


def test_the_other_waits() -> None:
    order = open_one()
    deposit = follow(pay(order, order.send_minor // 2))
    expected = Trouble(trouble.DECISION, deposit.first_seen_at, NOW + THREE_DAYS, trouble.OUR_TEAM)
    assert find_trouble(view_of(order)) == expected
    ask_for_refund(
        order_reference=order.reference,
        deposit_id=deposit.pk,
        address=LTC_ADDRESS,
        address_repeated=LTC_ADDRESS,
        at=NOW,
        actor="customer",
    )
    assert find_trouble(view_of(order)) is None
    Choice.objects.update(problem="liquidity_short")
    found = find_trouble(view_of(order))
    assert found is not None
    assert (found.what, found.since) == (trouble.REFUND_COINS, NOW)

    held = open_one(payout_address="")
    follow(pay(held))
    assert find_trouble(view_of(held)) == Trouble(trouble.ADDRESS, NOW, NOW + THREE_DAYS, trouble.OUR_TEAM)

    lost = paying()
    deposit = follow(pay(lost))  # a second one, which waits; then the chain takes it away
    remove(deposit)
    follow(deposit)
    found = find_trouble(view_of(lost))
    assert found is not None
    assert (found.what, found.until) == (trouble.LOST, NOW + THREE_DAYS)

    Order.objects.filter(pk=order.pk).update(next_actor="operator", deadline=NOW)
    Choice.objects.update(problem="")
    found = find_trouble(view_of(order))
    assert found is not None
    assert (found.what, found.until) == (trouble.TEAM, NOW)


def test_short_reserves_end_in_an_offer() -> None:
    order = open_one()
    follow(pay(order))
    fields = {"hold_reason": states.LIQUIDITY, "next_actor": "operator", "deadline": NOW + SIX_HOURS}
    Order.objects.filter(pk=order.pk).update(**fields)
    assert find_trouble(view_of(order)) == Trouble(trouble.COINS, NOW, NOW + SIX_HOURS, trouble.REFUND)
    offer_refunds(at=NOW + SIX_HOURS + timedelta(seconds=1))
    found = find_trouble(view_of(order))
    assert found is not None
    assert (found.what, found.until, found.then) == (trouble.COINS, None, trouble.NOTHING)
