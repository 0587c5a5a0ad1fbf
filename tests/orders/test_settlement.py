"""What a payout's news does to its order, as a table; and how an order is held while our coins are short."""

from datetime import timedelta

import pytest
from django.db import transaction

from ledger.balances import get_balance
from ledger.post import post_entry
from ledger.reserve import reserve_entry
from orders import policy, states
from orders.models import Order, Promise
from orders.payout import follow_payout, follow_payouts, request_order_payout, request_payouts
from tests.orders.conftest import NOW
from tests.orders.rows import ETH_ADDRESS, follow, open_one, pay, reload, send
from wallets import states as w
from wallets.models import Deposit, Payout

pytestmark = pytest.mark.usefixtures("site")


def paying() -> tuple[Order, Payout]:
    order = open_one()
    follow(pay(order))
    assert request_order_payout(reference=order.reference, at=NOW) is True
    return order, Payout.objects.get(owner_ref=order.reference)


def test_what_is_asked_for_is_what_the_order_was_credited_with() -> None:
    order, payout = paying()
    asked = reload(order)

    assert (payout.purpose, payout.address) == (f"order:{order.reference}:settle", ETH_ADDRESS)
    assert (payout.amount_minor, payout.fee_cap_minor) == (asked.credited_get_minor, order.fee_cap_minor)
    assert payout.funded_by == [Deposit.objects.get(owner_ref=order.reference).pk]
    assert (asked.state, asked.hold_reason, asked.next_actor) == (states.PAYING, states.NO_HOLD, states.MACHINE)
    assert Promise.objects.get(order=order).closed_at == NOW
    reserved = get_balance(kind="chain:reserved", asset=order.get_asset).minor
    assert reserved == payout.amount_minor + payout.fee_cap_minor
    assert request_order_payout(reference=order.reference, at=NOW) is False  # it is asked for


NEWS = [
    # the payout's states, one after the other; the order's state and next actor then
    ((w.SIGNED,), states.PAYING, states.MACHINE),
    ((w.BROADCAST,), states.SENT, states.MACHINE),
    ((w.BROADCAST, w.BROADCAST), states.SENT, states.MACHINE),
    ((w.BROADCAST, w.CONFIRMED), states.COMPLETED, states.NOBODY),
    ((w.CONFIRMED,), states.COMPLETED, states.NOBODY),
    ((w.REJECTED,), states.PAYING, states.OPERATOR),
    ((w.BROADCAST, w.REVERTED), states.SENT, states.OPERATOR),
    ((w.BROADCAST, w.IN_DOUBT), states.SENT, states.OPERATOR),
    ((w.BROADCAST, w.IN_DOUBT, w.CONFIRMED), states.COMPLETED, states.NOBODY),
    ((w.CONFIRMED, w.IN_DOUBT), states.COMPLETED, states.OPERATOR),
]


@pytest.mark.parametrize(("news", "state", "actor"), NEWS)
def test_the_order_follows_its_payout(news: tuple[str, ...], state: str, actor: str) -> None:
    order, payout = paying()
    for payout_state in news:
        send(payout, payout_state)

    after = reload(order)
    assert (after.state, after.next_actor) == (state, actor)
    assert after.completed_at == (NOW if state == states.COMPLETED else None)
    assert not Payout.objects.filter(news=True).exists()


def test_news_is_followed_once_and_by_chain() -> None:
    _order, payout = paying()
    Payout.objects.filter(pk=payout.pk).update(news=True)

    assert follow_payouts(chain="litecoin", at=NOW) == 0
    assert follow_payouts(chain="ethereum", at=NOW) == 1
    assert follow_payouts(chain="ethereum", at=NOW) == 0
    assert follow_payout(payout_id=payout.pk, reference=payout.owner_ref, at=NOW) is False


def test_what_is_paid_for_no_order_is_news_for_nobody() -> None:
    _order, payout = paying()
    Payout.objects.filter(pk=payout.pk).update(news=True)

    assert follow_payout(payout_id=payout.pk, reference="NOBODY", at=NOW) is True
    assert not Payout.objects.filter(news=True).exists()


def test_an_order_is_held_once_while_our_coins_are_short_and_paid_when_they_are_there() -> None:
    order = open_one()
    follow(pay(order))
    everything = get_balance(kind="chain:spendable", asset=order.get_asset)
    with transaction.atomic():
        post_entry(reserve_entry(purpose="a test", amount=everything, at=NOW))
    later = NOW + timedelta(minutes=5)

    assert [request_order_payout(reference=order.reference, at=at) for at in (NOW, later)] == [False, False]

    held = reload(order)
    assert (held.state, held.hold_reason, held.next_actor) == (states.EXCHANGING, states.LIQUIDITY, states.OPERATOR)
    assert held.deadline == NOW + policy.LIQUIDITY_WINDOW
    assert list(order.transitions.values_list("reason", flat=True)).count("waiting_liquidity") == 1
    assert Promise.objects.get(order=order).closed_at is None  # what did not happen took nothing away
    assert not Payout.objects.exists()


def test_payouts_are_asked_for_by_asset() -> None:
    order = open_one()
    follow(pay(order))

    assert request_payouts(asset="LTC", at=NOW) == 0
    assert request_payouts(asset="ETH", at=NOW) == 1
    assert reload(order).state == states.PAYING
