"""Alarms by what they do: nothing is signed or sent, what is touched is in doubt, a person is next, nobody is paid twice."""

import json
from pathlib import Path

import pytest
from django.conf import settings

from orders import states
from orders.models import Order
from orders.offer import PairPaused
from tests.simulated import SimulatedExchange
from wallets import states as wallet_states
from wallets.chains.derivation import derive_key
from wallets.chains.signing import build_and_sign_evm, build_and_sign_utxo
from wallets.freeze import ALL, freeze, frozen_scopes
from wallets.models import Attempt, Coin, CoinHold, Freeze, NonceHold

PAIRS = {"ETHLTC": ("1", "ETH", "LTC"), "LTCETH": ("0.05", "LTC", "ETH")}  # what is sent; the assets got and given


def paid(site: SimulatedExchange, pair: str) -> Order:
    order = site.open(pair, PAIRS[pair][0]).order
    site.pay(order)
    return order


def lift_all(site: SimulatedExchange) -> None:
    Freeze.objects.update(lifted_at=site.now())


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(
    ("scope", "stops"), [(ALL, True), ("get", True), ("from:send", True), ("send", False), ("from:get", False)]
)
def test_a_freeze_lets_nothing_be_signed_that_it_names(
    simulated: SimulatedExchange, pair: str, scope: str, stops: bool
) -> None:
    _amount, get, send = PAIRS[pair]
    order = paid(simulated, pair)
    named = scope.replace("get", get).replace("send", send)
    freeze(scope=named, reason="to see", at=simulated.now(), by="test")

    simulated.settle()

    assert Attempt.objects.exists() is not stops
    assert (simulated.paid(order) == order.get_minor) is not stops
    lift_all(simulated)
    simulated.settle()
    assert simulated.payments_to(order.get_asset.network, order.payout_address) == [order.get_minor]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("scope", [ALL, "get", "from:send"])
def test_a_freeze_lets_nothing_be_sent_that_was_signed_before(
    simulated: SimulatedExchange, monkeypatch: pytest.MonkeyPatch, pair: str, scope: str
) -> None:
    _amount, get, send = PAIRS[pair]
    order = paid(simulated, pair)
    with monkeypatch.context() as patch:
        patch.setattr("tests.exchange.send_due_attempts", lambda **_: 0)
        simulated.settle()
    assert Attempt.objects.get().sent_at is None
    freeze(scope=scope.replace("get", get).replace("send", send), reason="to see", at=simulated.now(), by="test")

    simulated.later(minutes=1)
    simulated.settle()

    assert Attempt.objects.get().sent_at is None
    assert simulated.paid(order) == 0
    lift_all(simulated)
    simulated.later(minutes=1)
    simulated.settle()
    assert simulated.payments_to(order.get_asset.network, order.payout_address) == [order.get_minor]


def steal_coin(site: SimulatedExchange, thief: str) -> None:
    """Spend what a payout holds, with our own key, to somebody else, for a higher fee."""
    hold = CoinHold.objects.get()
    coin = Coin.objects.select_related("address").get(txid=hold.txid, vout=hold.vout)
    private = json.loads(Path(settings.KEY_FILE).read_text())["litecoin"]["account_private"]
    spent = [(coin.txid, coin.vout, coin.amount_minor, coin.address.branch, coin.address.index)]
    raw = build_and_sign_utxo(spent, [(thief, coin.amount_minor - 10**7)], private)[0]
    site.litecoin.broadcast(raw)


def steal_nonce(site: SimulatedExchange, thief: str) -> None:
    hold = NonceHold.objects.get()
    private = json.loads(Path(settings.KEY_FILE).read_text())["ethereum"]["account_private"]
    fee = 10**12
    key = derive_key(private, 1, 0)
    raw = build_and_sign_evm(site.ethereum.chain_id, hold.nonce, thief, 10**15, 21_000, fee, fee, key)[0]
    site.ethereum.broadcast(raw)


@pytest.mark.parametrize("pair", PAIRS)
def test_what_we_did_not_sign_stops_the_asset_and_leaves_the_payout_in_doubt(
    simulated: SimulatedExchange, pair: str
) -> None:
    order, other = paid(simulated, pair), simulated.open(pair, PAIRS[pair][0]).order
    simulated.node_of(order.send_asset.network).mine(12)
    for _ in range(3):
        simulated.tick()
    assert simulated.payouts(order)[0].state == wallet_states.BROADCAST
    target = simulated.node_of(order.get_asset.network)
    thief = target.new_address()

    (steal_nonce if target.has_nonces else steal_coin)(simulated, thief)
    target.mine(1)
    simulated.tick()

    assert target.received(thief) > 0
    assert order.get_asset_id in frozen_scopes()
    (payout,) = simulated.payouts(order)
    assert payout.state == wallet_states.IN_DOUBT
    now = simulated.reload(order)
    assert (now.state, now.next_actor) == (states.SENT, "operator")
    with pytest.raises(PairPaused):
        simulated.open(pair, PAIRS[pair][0])
    simulated.pay(other)
    simulated.settle()
    assert not Attempt.objects.filter(payout__owner_ref=other.reference).exists()
    assert simulated.paid(order) == simulated.paid(other) == 0
