"""Coins that blocks made young: fees of a miner and Litecoin's peg-outs are neither offered nor spent before they are ripe."""

import pytest

from orders.facts import read_facts
from tests.orders.rows import open_one, pay
from wallets.models import ChainState, Coin
from wallets.signer.coins import mined_coins

pytestmark = pytest.mark.usefixtures("site")
RIPE = 1_000  # the height from which on the deposit's coin may be spent

# how high the chain was read, and whether the coin counts
CASES = [(RIPE - 100, False), (RIPE - 1, False), (RIPE, True), (RIPE + 1, True)]


@pytest.mark.parametrize(("height", "ripe"), CASES)
def test_what_is_offered_and_what_is_spent_agree_on_when_a_coin_is_ripe(height: int, ripe: bool) -> None:
    deposit = pay(open_one(), 70_000_000_007, mature_height=RIPE)
    coin = Coin.objects.create(
        chain="litecoin",
        txid=deposit.txid,
        vout=0,
        address=deposit.address,
        deposit=deposit,
        amount_minor=deposit.amount_minor,
    )
    ChainState.objects.filter(code="litecoin").update(height=height)

    assert mined_coins("litecoin", height).filter(pk=coin.pk).exists() is ripe
    assert (coin.amount_minor in read_facts().sides["LTC"].coins) is ripe


@pytest.mark.parametrize("height", [0, 1])
def test_an_ordinary_coin_is_ripe_at_once(height: int) -> None:
    deposit = pay(open_one(), 70_000_000_007)
    Coin.objects.create(
        chain="litecoin",
        txid=deposit.txid,
        vout=0,
        address=deposit.address,
        deposit=deposit,
        amount_minor=deposit.amount_minor,
    )
    ChainState.objects.filter(code="litecoin").update(height=height)

    assert mined_coins("litecoin", height).filter(deposit=deposit).exists()
    assert 70_000_000_007 in read_facts().sides["LTC"].coins
