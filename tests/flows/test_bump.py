"""wallets.bump: outbidding ourselves makes conflicting attempts within the cap, and exactly one of them pays."""

from datetime import timedelta

import pytest

from orders import states
from tests.flows.conftest import ASSETS, Exchange
from wallets import states as wallet_states
from wallets.bump import bump_stuck_payouts
from wallets.models import CoinHold, NonceHold
from wallets.safety.reconcile import reconcile_chain
from wallets.send import send_due_attempts
from wallets.sign import sign_payouts

PAIRS = [("ETHLTC", "1", "ethereum"), ("LTCETH", "0.05", "litecoin")]


def send_unmined(exchange: Exchange, pair: str, send: str, chain: str):
    """Open and pay an order, and let its payout wait in the mempool."""
    order = exchange.open(pair, send).order
    exchange.pay(order)
    exchange.node_of(order.send_asset.network).mine(4)
    exchange.tick()
    exchange.tick()
    (payout,) = exchange.payouts(order)
    assert (payout.chain, payout.state) == (chain, wallet_states.BROADCAST)
    return order


def outbid(exchange: Exchange, chain: str, minutes: int) -> int:
    later = exchange.now() + timedelta(minutes=minutes)
    bumped = bump_stuck_payouts(node=exchange.client_of(chain), at=later)
    send_due_attempts(node=exchange.client_of(chain), at=later)
    return bumped


@pytest.mark.parametrize(("pair", "send", "chain"), PAIRS)
def test_the_second_attempt_replaces_the_first_and_pays_once(
    exchange: Exchange, pair: str, send: str, chain: str
) -> None:
    order = send_unmined(exchange, pair, send, chain)
    assert outbid(exchange, chain, 10) == 0  # not stuck yet

    assert outbid(exchange, chain, 31) == 1

    (payout,) = exchange.payouts(order)
    first, second = payout.attempts.order_by("n")
    assert first.txid != second.txid
    assert first.fee_minor < second.fee_minor <= payout.fee_cap_minor
    assert "taken" in second.answer, second.answer
    exchange.settle()
    (payout,) = exchange.payouts(order)
    assert (payout.state, payout.txid) == (wallet_states.CONFIRMED, second.txid)
    assert exchange.paid(order) == order.get_minor
    assert exchange.reload(order).state == states.COMPLETED
    for code in ASSETS:
        exchange.scan(code)
        assert reconcile_chain(node=exchange.client_of(code), at=exchange.now()).difference.minor == 0


@pytest.mark.parametrize(("pair", "send", "chain"), PAIRS)
def test_attempts_stop_at_the_fee_cap(exchange: Exchange, pair: str, send: str, chain: str) -> None:
    order = send_unmined(exchange, pair, send, chain)
    for number in range(1, 12):
        outbid(exchange, chain, 31 * number)

    (payout,) = exchange.payouts(order)
    fees = list(payout.attempts.order_by("n").values_list("fee_minor", flat=True))
    assert len(fees) > 1
    assert max(fees) <= payout.fee_cap_minor
    assert fees == sorted(set(fees))
    holds = CoinHold.objects.filter(payout=payout).count() or NonceHold.objects.filter(payout=payout).count()
    assert holds == 1
    exchange.settle()
    assert exchange.paid(order) == order.get_minor


def test_a_payout_whose_change_another_one_spends_is_left_alone(exchange: Exchange) -> None:
    first = send_unmined(exchange, "LTCETH", "0.05", "litecoin")
    second = exchange.open("LTCETH", "0.05").order
    exchange.pay(second)
    exchange.ethereum.mine(4)
    exchange.tick()
    exchange.tick()
    sign_payouts(node=exchange.client_of("litecoin"), at=exchange.now())
    (payout,) = exchange.payouts(first)
    spends_change = CoinHold.objects.filter(txid=payout.attempts.get().txid).exists()
    assert spends_change

    outbid(exchange, "litecoin", 31)

    assert payout.attempts.count() == 1
    exchange.settle()
    assert exchange.paid(first) == first.get_minor
    assert exchange.paid(second) == second.get_minor
