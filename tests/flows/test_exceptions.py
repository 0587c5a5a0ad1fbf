"""Deposits that are not what was asked for: each is credited, waits with a deadline and an owner, is refunded, or is dust."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.db import transaction

from core.assets import get_asset
from ledger.balances import get_balance, get_floor_balance
from ledger.post import post_entry
from ledger.reserve import release_entry, reserve_entry
from orders import states
from orders.addresses import set_payout_address
from orders.models import Order, Promise
from orders.offer import read_fees
from orders.reads import build_view
from orders.refund import RefundNotPossible, ask_refund
from tests.flows.conftest import Exchange
from wallets import states as wallet_states
from wallets.models import Deposit
from wallets.safety.reconcile import reconcile_chain


def deposits(order: Order) -> list[Deposit]:
    return list(Deposit.objects.filter(owner_ref=order.reference).order_by("pk"))


def refund(exchange: Exchange, order: Order, deposit: Deposit) -> str:
    address = exchange.node_of(deposit.chain).new_address()
    ask_refund(
        order_reference=order.reference,
        deposit_id=deposit.pk,
        address=address,
        address_repeated=address,
        at=exchange.now(),
        actor="customer",
    )
    return address


@pytest.mark.parametrize("percent_of_a_thousand", [996, 1004])
def test_within_half_a_percent_it_executes_pro_rata(exchange: Exchange, percent_of_a_thousand: int) -> None:
    order = exchange.open().order
    exchange.pay(order, order.send_minor * percent_of_a_thousand // 1000)
    exchange.tick()
    exchange.settle()

    done = exchange.reload(order)
    step = done.get_asset.quote_step
    assert done.state == states.COMPLETED
    assert exchange.paid(done) == done.get_minor * percent_of_a_thousand // 1000 // step * step


@pytest.mark.parametrize(
    ("pair", "share", "exception"), [("ETHLTC", 50, states.UNDERPAID), ("LTCETH", 150, states.OVERPAID)]
)
def test_a_wrong_amount_waits_and_goes_back_less_the_fee(
    exchange: Exchange, pair: str, share: int, exception: str
) -> None:
    order = exchange.open(pair, "1" if pair == "ETHLTC" else "0.05").order
    exchange.pay(order, order.send_minor * share // 100)
    exchange.tick()
    exchange.settle()

    waiting = exchange.reload(order)
    (deposit,) = deposits(order)
    assert (waiting.state, waiting.exception) == (states.CONFIRMING, exception)
    assert (deposit.disposition, deposit.next_actor) == (wallet_states.WAITING, "customer")
    assert deposit.deadline == waiting.deadline
    assert not Promise.objects.filter(order=order, closed_at=None).exists()

    address = refund(exchange, order, deposit)
    assert exchange.reload(order).state == states.REFUNDING
    exchange.tick()
    exchange.settle()

    done = exchange.reload(order)
    (payout,) = exchange.payouts(order)
    assert done.state == states.REFUNDED
    assert exchange.node_of(deposit.chain).received(address) == payout.amount_minor
    charged = read_fees(deposit.asset).expected
    assert payout.amount_minor + charged.minor == deposit.amount_minor
    assert charged.minor < payout.fee_cap_minor
    assert get_balance(kind="customer", asset=deposit.asset, owner=order.reference).minor == 0
    for chain in ("litecoin", "ethereum"):
        exchange.scan(chain)
        assert reconcile_chain(node=exchange.client_of(chain), at=exchange.now()).difference.minor == 0


def test_a_second_deposit_waits_and_does_not_stop_the_first(exchange: Exchange) -> None:
    order = exchange.open().order
    exchange.pay(order)
    exchange.pay(order)
    exchange.tick()
    exchange.settle()

    done = exchange.reload(order)
    first, second = deposits(order)
    assert (done.state, done.exception) == (states.COMPLETED, states.SECOND)
    assert {first.disposition, second.disposition} == {wallet_states.CREDIT, wallet_states.WAITING}
    assert exchange.paid(done) == done.get_minor

    waiting = first if first.disposition == wallet_states.WAITING else second
    address = refund(exchange, order, waiting)
    exchange.tick()
    exchange.settle()
    assert exchange.reload(order).state == states.COMPLETED
    assert exchange.litecoin.received(address) > 0
    view = build_view(exchange.reload(order), at=exchange.now(), is_owner=True)
    assert [payout.purpose for payout in view.payouts] == ["settle", "refund"]


def test_an_unpaid_order_expires_and_a_late_deposit_comes_back(exchange: Exchange) -> None:
    # Nobody read the chains meanwhile: what is mined soon after the deadline would count as seen, this comes too late.
    exchange.offset = -timedelta(minutes=45)
    order = exchange.open().order
    exchange.offset = timedelta(0)
    exchange.tick()
    exchange.tick()
    assert exchange.reload(order).state == states.EXPIRED
    assert not Promise.objects.filter(order=order, closed_at=None).exists()

    exchange.pay(order)
    exchange.tick()
    exchange.settle()

    late = exchange.reload(order)
    (deposit,) = deposits(order)
    assert (late.state, late.exception) == (states.CONFIRMING, states.PAID_LATE)
    assert deposit.disposition == wallet_states.WAITING


def test_a_deposit_seen_in_time_keeps_the_rate_however_late_it_is_read(
    exchange: Exchange, settings: LazySettings
) -> None:
    settings.MAX_TIP_AGE_SECONDS = {"litecoin": 10**6, "ethereum": 10**6}
    order = exchange.open().order
    exchange.pay(order)
    exchange.mine(4)
    exchange.offset = timedelta(minutes=30)  # nobody looked for half an hour; the block's own time is what counts
    exchange.tick()
    exchange.settle()

    assert exchange.reload(order).state == states.COMPLETED


def test_dust_is_kept_and_the_real_deposit_still_counts(exchange: Exchange) -> None:
    order = exchange.open().order
    exchange.pay(order, 6000)
    exchange.mine(3)
    exchange.tick()
    (dust,) = deposits(order)
    assert (dust.disposition, exchange.reload(order).state) == (wallet_states.DUST, states.AWAITING_DEPOSIT)

    exchange.pay(order)
    exchange.tick()
    exchange.settle()

    assert exchange.reload(order).state == states.COMPLETED
    assert get_balance(kind="dust", asset=get_asset("LTC")).minor == -6000


def test_without_a_payout_address_the_exchange_is_held_until_there_is_one(exchange: Exchange) -> None:
    order = exchange.open(payout_address="").order
    exchange.pay(order)
    exchange.tick()
    exchange.settle(2)
    held = exchange.reload(order)
    assert (held.state, held.hold_reason, held.next_actor) == (states.EXCHANGING, states.ADDRESS, "customer")

    set_payout_address(
        order_reference=order.reference,
        address=exchange.ethereum.new_address(),
        at=exchange.now(),
        actor="customer",
    )
    exchange.tick()
    exchange.settle()
    assert exchange.reload(order).state == states.COMPLETED


def test_a_deposit_is_refunded_once_however_often_it_is_asked(exchange: Exchange) -> None:
    order = exchange.open().order
    exchange.pay(order, order.send_minor // 2)
    exchange.tick()
    exchange.settle(2)
    (deposit,) = deposits(order)
    refund(exchange, order, deposit)

    with pytest.raises(RefundNotPossible):
        refund(exchange, order, deposit)
    assert len(exchange.payouts(order)) == 1


def test_after_72_hours_the_operator_is_next(exchange: Exchange, settings: LazySettings) -> None:
    settings.MAX_TIP_AGE_SECONDS = {"litecoin": 10**6, "ethereum": 10**6}
    order = exchange.open().order
    exchange.pay(order, order.send_minor // 2)
    exchange.tick()
    exchange.settle(2)
    exchange.offset = timedelta(hours=73)
    exchange.mine(1)
    exchange.tick()

    waiting = exchange.reload(order)
    (deposit,) = deposits(order)
    assert (waiting.state, waiting.next_actor, deposit.next_actor) == (states.CONFIRMING, "operator", "operator")
    assert deposit.disposition == wallet_states.WAITING


def test_an_order_we_cannot_pay_waits_and_then_may_be_refunded_free(exchange: Exchange, settings: LazySettings) -> None:
    settings.MAX_TIP_AGE_SECONDS = {"litecoin": 10**6, "ethereum": 10**6}
    order = exchange.open().order
    spendable = get_floor_balance(kind="chain:spendable", asset=order.get_asset)
    with transaction.atomic():
        post_entry(reserve_entry(purpose="elsewhere", amount=spendable, at=exchange.now()))
    exchange.pay(order)
    exchange.tick()
    exchange.settle(2)
    held = exchange.reload(order)
    (deposit,) = deposits(order)
    assert (held.state, held.hold_reason, held.next_actor) == (states.EXCHANGING, states.LIQUIDITY, "operator")
    with pytest.raises(RefundNotPossible):
        refund(exchange, order, deposit)

    exchange.offset = timedelta(hours=7)
    exchange.mine(1)
    exchange.tick()
    assert exchange.reload(order).next_actor == "customer"
    assert f"refund:{deposit.pk}" in build_view(exchange.reload(order), at=exchange.now(), is_owner=True).may
    address = refund(exchange, order, deposit)
    exchange.tick()
    exchange.settle(3)

    assert exchange.reload(order).state == states.REFUNDED
    assert exchange.litecoin.received(address) == deposit.amount_minor
    for asset in (order.send_asset, order.get_asset):
        assert get_balance(kind="customer", asset=asset, owner=order.reference).minor == 0
    assert get_balance(kind="revenue:fee", asset=order.get_asset).minor == 0


def test_coins_that_arrive_in_time_pay_a_held_order(exchange: Exchange) -> None:
    order = exchange.open().order
    spendable = get_floor_balance(kind="chain:spendable", asset=order.get_asset)
    with transaction.atomic():
        post_entry(reserve_entry(purpose="elsewhere", amount=spendable, at=exchange.now()))
    exchange.pay(order)
    exchange.tick()
    exchange.settle(2)
    assert exchange.reload(order).hold_reason == states.LIQUIDITY

    with transaction.atomic():
        post_entry(release_entry(purpose="elsewhere", reserved=spendable, at=exchange.now()))
    exchange.settle(4)

    assert exchange.reload(order).state == states.COMPLETED
    assert exchange.paid(order) == order.get_minor
