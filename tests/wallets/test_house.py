"""Money moved by hand: the books follow the chain, once, whether it was announced or only booked afterwards."""

import json
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from embit.bip32 import HDKey
from eth_account import Account

from ledger.balances import find_imbalances, get_balance
from ledger.models import Entry
from orders import states as order_states
from orders.models import Order
from tests.simulated import SimulatedExchange
from wallets import states
from wallets.addresses import house_address
from wallets.chains.protocol import Sent
from wallets.chains.signing import build_and_sign_evm
from wallets.freeze import frozen_scopes, list_open, unfreeze
from wallets.management.commands import house as command
from wallets.models import Address, Coin, Deposit, HouseMovement
from wallets.safety.house import (
    HouseRefused,
    assign_to_order,
    assign_unidentified,
    book_movement,
    expect_movement,
    reverse_house,
    write_off_reorg,
)
from wallets.safety.reconcile import reconcile_chain
from wallets.scan_state import native_asset
from wallets.signer.keys import sign_coins

GAS_PRICE = 10**9
FEE = 21_000 * GAS_PRICE


def balances(chain: str) -> dict[str, int]:
    asset = native_asset(chain)
    kinds = ("chain:spendable", "chain:unswept", "chain:missing", "receivable:reorg", "capital", "unidentified")
    return {kind: get_balance(kind=kind, asset=asset).minor for kind in (*kinds, "expense:network")}


def changes(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {kind: after[kind] - before[kind] for kind in before if after[kind] != before[kind]}


def agrees(site: SimulatedExchange, chain: str) -> bool:
    site.scan(chain)
    return reconcile_chain(node=site.client_of(chain), at=site.now()).difference.minor == 0 and not frozen_scopes()


def secret_of(settings: LazySettings, branch: int, index: int) -> bytes:
    keys = json.loads(Path(settings.KEY_FILE).read_text(encoding="utf-8"))
    root = HDKey.from_string(keys["ethereum"]["account_private"])
    return bytes(root.derive([branch, index]).key.serialize())


def send_ether(site: SimulatedExchange, settings: LazySettings, source: Address, target: str, minor: int) -> str:
    """Send by hand from an address of ours; return the transaction's id."""
    node = site.client_of("ethereum")
    secret = secret_of(settings, source.branch, source.index)
    assert str(Account.from_key(secret).address) == source.address
    nonce = node.next_nonce(source.address)
    raw, txid = build_and_sign_evm(node.chain_id, nonce, target, minor, 21_000, GAS_PRICE, GAS_PRICE, secret)
    assert isinstance(node.broadcast(raw), Sent)
    return txid


def deposit_of_ether(site: SimulatedExchange) -> Address:
    order = site.open("LTCETH", send="0.1").order
    site.pay(order)
    site.settle()
    assert site.reload(order).state == order_states.COMPLETED
    return Address.objects.get(owner_ref=order.reference)


@pytest.mark.parametrize("announced", [True, False])
def test_a_sweep_by_hand_makes_unswept_coins_spendable(
    simulated: SimulatedExchange, settings: LazySettings, announced: bool
) -> None:
    """Fault 33: it froze the asset, booked the receipt as new capital, and stayed so."""
    source, node = deposit_of_ether(simulated), simulated.client_of("ethereum")
    before, target = balances("ethereum"), house_address(chain="ethereum", at=simulated.now()).address
    swept = 10**17 - FEE
    txid = send_ether(simulated, settings, source, target, swept)
    if announced:
        expect_movement(chain="ethereum", txid=txid, kind="sweep", at=simulated.now(), by="anna")
    simulated.mine(1)
    simulated.scan("ethereum")
    assert bool(frozen_scopes()) is not announced
    if announced:
        assert agrees(simulated, "ethereum"), "in flight, until it is booked"
    with pytest.raises(HouseRefused, match="deep"):
        book_movement(node=node, txid=txid, kind="sweep", at=simulated.now(), by="anna", post=True)
    simulated.mine(3)
    simulated.scan("ethereum")

    shown = book_movement(node=node, txid=txid, kind="sweep", at=simulated.now(), by="anna")
    assert not shown.posted
    assert not Entry.objects.filter(reference=shown.entry.reference).exists()
    for _ in range(2):
        assert book_movement(node=node, txid=txid, kind="sweep", at=simulated.now(), by="anna", post=True).posted
    for row in list_open():
        unfreeze(scope=row.scope, number=row.pk, because="a sweep by hand", at=simulated.now(), by="anna")

    assert changes(before, balances("ethereum")) == {
        "chain:spendable": swept,
        "chain:unswept": -(swept + FEE),
        "expense:network": FEE,
    }
    assert agrees(simulated, "ethereum")
    assert find_imbalances() == []
    with pytest.raises(HouseRefused, match="this is a sweep"):
        book_movement(node=node, txid=txid, kind="withdrawal", at=simulated.now(), by="anna")


@pytest.mark.parametrize("announced", [True, False])
def test_a_withdrawal_of_the_house_comes_out_of_the_capital(
    simulated: SimulatedExchange, settings: LazySettings, announced: bool
) -> None:
    node, before = simulated.client_of("ethereum"), balances("ethereum")
    source = house_address(chain="ethereum", at=simulated.now())
    txid = send_ether(simulated, settings, source, simulated.ethereum.new_address(), 10**18)
    if announced:
        expect_movement(chain="ethereum", txid=txid, kind="withdrawal", at=simulated.now(), by="anna")
    simulated.mine(4)
    simulated.scan("ethereum")

    with pytest.raises(HouseRefused, match="this is a withdrawal"):
        book_movement(node=node, txid=txid, kind="sweep", at=simulated.now(), by="anna")
    book_movement(node=node, txid=txid, kind="withdrawal", at=simulated.now(), by="anna", post=True)
    for row in list_open():
        unfreeze(scope=row.scope, number=row.pk, because="by hand", at=simulated.now(), by="anna")

    assert changes(before, balances("ethereum")) == {
        "chain:spendable": -(10**18 + FEE),
        "capital": 10**18,
        "expense:network": FEE,
    }
    assert agrees(simulated, "ethereum")
    order = simulated.open("ETHLTC", send="0.1").order
    simulated.pay(order)
    simulated.settle()
    assert simulated.reload(order).state == order_states.COMPLETED, "the lane goes on above the nonce that was used"


@pytest.mark.parametrize("announced", [True, False])
def test_a_withdrawal_with_change_leaves_the_change_spendable(simulated: SimulatedExchange, announced: bool) -> None:
    node, before = simulated.client_of("litecoin"), balances("litecoin")
    coin = Coin.objects.filter(chain="litecoin").first()
    assert coin is not None
    signed = sign_coins(
        chain="litecoin",
        coins=[coin],
        address=simulated.litecoin.new_address(),
        amount_minor=10**8,
        fee_minor=2_000,
        fee_cap_minor=10_000,
    )
    assert isinstance(node.broadcast(signed.raw), Sent)
    if announced:
        expect_movement(chain="litecoin", txid=signed.txid, kind="withdrawal", at=simulated.now(), by="anna")
    simulated.mine(1)
    simulated.scan("litecoin")
    if announced:
        for full in (True, False):
            compared = reconcile_chain(node=node, at=simulated.now(), full=full)
            assert compared.difference.minor == 0
    simulated.mine(3)
    simulated.scan("litecoin")
    book_movement(node=node, txid=signed.txid, kind="withdrawal", at=simulated.now(), by="anna", post=True)
    for row in list_open():
        unfreeze(scope=row.scope, number=row.pk, because="by hand", at=simulated.now(), by="anna")

    assert changes(before, balances("litecoin")) == {
        "chain:spendable": -(10**8 + 2_000),
        "capital": 10**8,
        "expense:network": 2_000,
    }
    assert Coin.objects.get(txid=signed.txid).amount_minor == coin.amount_minor - 10**8 - 2_000
    for full in (True, False):
        assert reconcile_chain(node=node, at=simulated.now(), full=full).difference.minor == 0


def test_an_announced_movement_that_loses_its_block_is_in_flight_no_more(
    simulated: SimulatedExchange, settings: LazySettings
) -> None:
    source, before = house_address(chain="ethereum", at=simulated.now()), balances("ethereum")
    txid = send_ether(simulated, settings, source, simulated.ethereum.new_address(), 10**18)
    expect_movement(chain="ethereum", txid=txid, kind="withdrawal", at=simulated.now(), by="anna")
    simulated.mine(1)
    assert agrees(simulated, "ethereum")
    simulated.ethereum.reorganise(1, keep=False)

    assert agrees(simulated, "ethereum")
    assert HouseMovement.objects.get().block_height is None
    assert balances("ethereum") == before


def test_a_payout_of_ours_or_a_strange_transaction_is_no_movement_of_the_house(simulated: SimulatedExchange) -> None:
    order = simulated.open("ETHLTC", send="0.1").order
    simulated.pay(order)
    simulated.settle()
    node, (payout,) = simulated.client_of("ethereum"), simulated.payouts(order)
    strange = simulated.ethereum.send(simulated.ethereum.new_address(), 5)
    simulated.mine(4)
    simulated.scan("ethereum")

    for txid, said in ((payout.txid, "signed it itself"), (strange, "nothing of ours"), ("0x" + "9" * 64, "unknown")):
        with pytest.raises(HouseRefused, match=said):
            book_movement(node=node, txid=txid, kind="withdrawal", at=simulated.now(), by="anna", post=True)
    with pytest.raises(HouseRefused, match="signed it itself"):
        expect_movement(chain="ethereum", txid=payout.txid, kind="withdrawal", at=simulated.now(), by="anna")


def unidentified_ether(site: SimulatedExchange, order: Order, minor: int) -> None:
    site.ethereum.rules.balances[order.deposit_address] = minor
    site.scan("ethereum")
    assert reconcile_chain(node=site.client_of("ethereum"), at=site.now()).difference.minor == minor


@pytest.mark.parametrize(("minor", "refused"), [(8, True), (7, False), (1, False), (0, True), (-1, True)])
def test_unidentified_receipts_become_capital_as_far_as_they_go(
    simulated: SimulatedExchange, minor: int, refused: bool
) -> None:
    unidentified_ether(simulated, simulated.open("LTCETH", send="0.1").order, 7)
    before, asset = balances("ethereum"), native_asset("ethereum")
    if refused:
        with pytest.raises(HouseRefused):
            assign_unidentified(asset=asset, minor=minor, number="1", at=simulated.now(), post=True)
        return
    for _ in range(2):
        assign_unidentified(asset=asset, minor=minor, number="1", at=simulated.now(), post=True)
    assert changes(before, balances("ethereum")) == {"unidentified": minor, "capital": -minor}
    shown = reverse_house(reference="house:unidentified:1", at=simulated.now())
    posted = reverse_house(reference="house:unidentified:1", at=simulated.now(), post=True)
    assert {(leg.kind, leg.amount.minor) for leg in shown.entry.legs} == {("unidentified", -minor), ("capital", minor)}
    assert shown.entry.legs == posted.entry.legs
    assert balances("ethereum") == before


def test_an_unidentified_receipt_becomes_the_orders_deposit_and_is_executed(simulated: SimulatedExchange) -> None:
    """What a contract paid while the node gave no traces."""
    order = simulated.open("LTCETH", send="0.1").order
    node = simulated.client_of("ethereum")
    txid = simulated.ethereum.send(simulated.ethereum.new_address(), 1)  # stands for the contract's transaction
    simulated.mine(4)
    unidentified_ether(simulated, order, order.send_minor)

    with pytest.raises(HouseRefused, match="holds"):
        assign_to_order(
            node=node, txid=txid, owner_ref=order.reference, minor=order.send_minor + 1, at=simulated.now(), post=True
        )
    shown = assign_to_order(node=node, txid=txid, owner_ref=order.reference, minor=order.send_minor, at=simulated.now())
    assert not shown.posted
    assert not Deposit.objects.filter(owner_ref=order.reference).exists()
    assign_to_order(
        node=node, txid=txid, owner_ref=order.reference, minor=order.send_minor, at=simulated.now(), post=True
    )
    with pytest.raises(HouseRefused, match="holds"):
        assign_to_order(
            node=node, txid=txid, owner_ref=order.reference, minor=order.send_minor, at=simulated.now(), post=True
        )
    simulated.settle()

    assert Deposit.objects.get(owner_ref=order.reference).disposition != ""
    assert balances("ethereum")["unidentified"] == 0
    assert agrees(simulated, "ethereum")


def test_a_deposit_that_a_reorganisation_removed_for_good_is_borne_by_the_house(simulated: SimulatedExchange) -> None:
    """Fault 34: receivable:reorg and chain:missing had no verb."""
    order = simulated.open("ETHLTC", send="1").order
    txid = simulated.pay(order)
    simulated.settle()
    before, node = balances("litecoin"), simulated.client_of("litecoin")
    deep = simulated.client_of("litecoin").tip().height - Deposit.objects.get(txid=txid).block_height + 1
    with pytest.raises(HouseRefused, match="mined"):
        write_off_reorg(node=node, deposit_id=Deposit.objects.get(txid=txid).pk, at=simulated.now(), post=True)
    simulated.litecoin.reorganise(deep, keep=False)
    simulated.scan("litecoin")  # sends its bytes again
    simulated.litecoin.pool.clear()
    simulated.scan("litecoin")
    deposit = Deposit.objects.get(txid=txid)
    assert (deposit.state, balances("litecoin")["receivable:reorg"]) == (states.REMOVED, 10**8)

    assert not write_off_reorg(node=node, deposit_id=deposit.pk, at=simulated.now()).posted
    for _ in range(2):
        written = write_off_reorg(node=node, deposit_id=deposit.pk, at=simulated.now(), post=True)
    assert changes(before, balances("litecoin")) == {"chain:spendable": -(10**8), "capital": 10**8}
    assert find_imbalances() == []

    reverse_house(reference=written.entry.reference, at=simulated.now(), post=True)
    assert balances("litecoin")["receivable:reorg"] == 10**8


def test_the_command_shows_first_and_posts_when_told(
    simulated: SimulatedExchange, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unidentified_ether(simulated, simulated.open("LTCETH", send="0.1").order, 10**16)
    monkeypatch.setattr(command, "configured_chains", lambda: ["ethereum", "litecoin"])
    before = balances("ethereum")

    call_command("house", "unidentified", "eth", "0.01", "case 7")
    assert "not posted: add --yes" in capsys.readouterr().out
    assert balances("ethereum") == before
    call_command("house", "unidentified", "eth", "0.01", "case 7", "--yes")
    assert "capital  -0.01 ETH" in capsys.readouterr().out
    assert balances("ethereum")["unidentified"] == 0
