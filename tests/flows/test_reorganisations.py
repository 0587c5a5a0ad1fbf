"""Reorganisations and replacements: the chain's present state is the truth, before and after we paid."""

import pytest

from core.assets import get_asset
from ledger.balances import get_balance
from orders import states
from tests.flows.conftest import Exchange
from wallets import states as wallet_states
from wallets.freeze import frozen_scopes, unfreeze
from wallets.models import Deposit
from wallets.safety.reconcile import reconcile_chain

PAIRS = [("ETHLTC", "1", "litecoin"), ("LTCETH", "0.05", "ethereum")]


def the_deposit(reference: str) -> Deposit:
    return Deposit.objects.select_related("asset").get(owner_ref=reference)


@pytest.mark.parametrize(("pair", "send", "chain"), PAIRS)
def test_depth_1_before_crediting_only_delays(exchange: Exchange, pair: str, send: str, chain: str) -> None:
    order = exchange.open(pair, send).order
    exchange.pay(order)
    node, client = exchange.node_of(chain), exchange.client_of(chain)
    node.mine(1)
    exchange.tick()
    before = client.tip()
    deposit = the_deposit(order.reference)
    assert (deposit.state, deposit.block_hash) == (wallet_states.SEEN, before.hash)

    node.reorganise(1)
    exchange.tick()

    assert client.block_hash(before.height) != before.hash
    exchange.settle()
    assert exchange.reload(order).state == states.COMPLETED
    assert exchange.paid(order) == order.get_minor


@pytest.mark.parametrize(("pair", "send", "chain"), PAIRS)
@pytest.mark.parametrize("depth", [1, 6])
def test_a_deposit_gone_before_crediting_is_waited_for_again(
    exchange: Exchange, pair: str, send: str, chain: str, depth: int
) -> None:
    order = exchange.open(pair, send).order
    node, client = exchange.node_of(chain), exchange.client_of(chain)
    node.mine(depth)
    exchange.pay(order)
    node.mine(1)
    exchange.tick()
    assert exchange.reload(order).state == states.CONFIRMING
    before = client.tip()

    node.reorganise(depth, keep=False)
    exchange.tick()

    assert client.block_hash(before.height) != before.hash
    deposit = the_deposit(order.reference)
    assert deposit.block_height is None
    assert get_balance(kind="customer", asset=deposit.asset, owner=order.reference).minor == 0
    assert exchange.payouts(order) == []


@pytest.mark.parametrize(("pair", "send", "chain"), PAIRS)
def test_depth_6_after_the_payout_is_booked_and_stops_the_chain(
    exchange: Exchange, pair: str, send: str, chain: str
) -> None:
    order = exchange.open(pair, send).order
    exchange.pay(order)
    exchange.node_of(chain).mine(4)
    exchange.tick()
    exchange.tick()
    exchange.node_of("ethereum" if chain == "litecoin" else "litecoin").mine(4)
    exchange.tick()
    assert exchange.reload(order).state == states.COMPLETED
    deposit = the_deposit(order.reference)
    before = exchange.client_of(chain).tip()

    exchange.node_of(chain).reorganise(6, keep=False)
    exchange.tick()

    assert exchange.client_of(chain).block_hash(before.height) != before.hash
    deposit.refresh_from_db()
    asset = get_asset(order.send_asset_id)
    after = exchange.reload(order)
    assert deposit.state in (wallet_states.REMOVED, wallet_states.SEEN)
    assert (after.state, after.exception, after.next_actor) == (states.COMPLETED, states.REORG, "operator")
    assert get_balance(kind="receivable:reorg", asset=asset).minor == deposit.amount_minor
    assert get_balance(kind="customer", asset=asset, owner=order.reference).minor == 0
    assert f"from:{asset.code}" in frozen_scopes()
    assert len(exchange.payouts(order)) == 1

    if chain == "litecoin":
        exchange.settle(3)  # the stored bytes were sent again, so the deposit is mined once more
        deposit.refresh_from_db()
        assert deposit.state == wallet_states.CONFIRMED
        assert get_balance(kind="receivable:reorg", asset=asset).minor == 0
        assert exchange.reload(order).exception == states.NONE
        exchange.scan(chain)
        assert reconcile_chain(node=exchange.client_of(chain), at=exchange.now()).difference.minor == 0
    unfreeze(scope=f"from:{asset.code}", because="seen", at=exchange.now(), by="test")


@pytest.mark.node
def test_a_replaced_deposit_never_counts_and_the_replacement_does(exchange: Exchange) -> None:
    order = exchange.open().order
    first = str(
        exchange.litecoin.wallet.call("sendtoaddress", order.deposit_address, "1.00000000", "", "", False, True)
    )
    exchange.tick()
    assert the_deposit(order.reference).txid == first

    second = exchange.litecoin.wallet.call("bumpfee", first, {"fee_rate": 100})["txid"]
    # Litecoin's mempool keeps what it saw first, so the replacement arrives as such things do there: mined.
    raw = exchange.litecoin.wallet.call("gettransaction", second)["hex"]
    exchange.litecoin.call("generateblock", exchange.litecoin.new_address(), [raw])
    exchange.tick()
    exchange.settle()

    old, new = Deposit.objects.filter(owner_ref=order.reference).order_by("pk")
    assert (old.txid, old.state) == (first, wallet_states.REMOVED)
    assert (new.txid, new.disposition) == (second, wallet_states.CREDIT)
    assert exchange.reload(order).state == states.COMPLETED
    assert exchange.paid(order) == order.get_minor


def test_a_payout_taken_off_the_chain_is_mined_again_and_not_paid_twice(exchange: Exchange) -> None:
    order = exchange.open("LTCETH", "0.05").order
    exchange.pay(order)
    exchange.ethereum.mine(4)
    exchange.tick()
    exchange.tick()
    exchange.litecoin.mine(3)
    exchange.tick()
    assert exchange.reload(order).state == states.COMPLETED

    exchange.litecoin.reorganise(3, keep=False)
    exchange.tick()
    assert exchange.paid(order) == 0
    exchange.settle(3)

    (payout,) = exchange.payouts(order)
    assert (payout.state, payout.reorg_count) == (wallet_states.CONFIRMED, 1)
    assert exchange.paid(order) == order.get_minor
    assert exchange.reload(order).state == states.COMPLETED
