"""Sixty coins of one on a real node: what is offered before and after they are joined, and what is paid then."""

import pytest

from core.assets import get_asset
from core.snapshot import forget_all
from ledger.balances import get_balance
from orders.offer import get_offer
from tests.flows.conftest import Exchange
from wallets import states
from wallets.models import Coin, Payout
from wallets.paying.consolidate import consolidate
from wallets.safety.reconcile import reconcile_chain

pytestmark = pytest.mark.node
LTC = 10**8


def offered(exchange: Exchange) -> int:
    exchange.price()
    forget_all()
    return get_offer("LTCETH", at=exchange.now()).limits.max_get.minor


def test_sixty_coins_of_one_are_joined_on_the_chain_and_pay_twelve(exchange: Exchange) -> None:
    ltc = get_asset("LTC")
    exchange.fund("litecoin", LTC, times=60)
    # Only the sixty count: what the wallet had before is set aside, as coins whose transactions are not to be built upon.
    larger = Coin.objects.filter(chain="litecoin").exclude(amount_minor=LTC)
    larger.update(usable=False)
    before = offered(exchange)
    assert LTC < before < 20 * LTC
    fees = get_balance(kind="expense:network", asset=ltc).minor

    join = consolidate(asset=ltc, keep_minor=0, at=exchange.now(), ask=True)
    exchange.tick()
    payout = Payout.objects.get(purpose="house:consolidate:1")
    assert (join.coins, payout.state) == (60, states.BROADCAST)
    assert payout.attempts.get().txid in exchange.client_of("litecoin").list_mempool()
    exchange.mine(1)
    exchange.tick()
    larger.update(usable=True)
    assert reconcile_chain(node=exchange.client_of("litecoin"), at=exchange.now()).difference.minor == 0
    larger.filter(spent_txid="", attempt=None).update(usable=False)
    exchange.settle(3)
    payout.refresh_from_db()
    assert payout.state == states.CONFIRMED
    assert get_balance(kind="expense:network", asset=ltc).minor - fees == payout.fee_minor
    assert offered(exchange) > before

    order = exchange.open("LTCETH", send="0.4").order
    assert order.get_minor > 12 * LTC
    exchange.pay(order)
    exchange.settle(4)
    assert exchange.paid(order) == order.get_minor
    assert exchange.payments_to("litecoin", order.payout_address) == [order.get_minor]
