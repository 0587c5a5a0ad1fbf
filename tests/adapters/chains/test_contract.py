"""The contract of every chain adapter, held by the fakes and by the real nodes alike."""

from dataclasses import replace

import pytest

from tests.adapters.chains.conftest import Net
from tests.nodes import FORWARD
from wallets.chains.fees import FEE_BOUNDS
from wallets.chains.protocol import Block, ChainError, Refused, Sent, TargetRefuses, Unknown
from wallets.chains.registry import open_chain

UNKNOWN_TXID = "12" * 32


def tip_block(net: Net) -> Block:
    return net.chain.read_block(net.chain.tip().hash)


def txid_of_nobody(net: Net) -> str:
    return "0x" + UNKNOWN_TXID if net.chain.has_nonces else UNKNOWN_TXID


def test_the_identity_is_the_genesis_block_and_stays(net: Net) -> None:
    before = net.chain.identity()

    net.driver.mine(1)

    assert net.chain.identity() == before
    assert before.endswith(net.chain.block_hash(0))
    assert before.startswith(f"{net.chain.chain_id}:") == net.chain.has_nonces


def test_the_tip_follows_the_chain(net: Net) -> None:
    before = net.chain.tip()

    net.driver.mine(2)
    after = net.chain.tip()

    assert (after.height, after.syncing) == (before.height + 2, False)
    assert net.chain.block_hash(after.height) == after.hash
    assert net.chain.block_hash(after.height + 1) is None
    assert after.at.utcoffset() is not None
    assert after.at >= before.at


def test_blocks_link_to_their_parents(net: Net) -> None:
    net.driver.mine(2)

    block = tip_block(net)
    parent = net.chain.read_block(block.parent_hash)

    assert (parent.height, parent.hash) == (block.height - 1, block.parent_hash)
    assert block.at == net.chain.tip().at


def test_a_block_that_nobody_has_is_an_error(net: Net) -> None:
    with pytest.raises(ChainError):
        net.chain.read_block(txid_of_nobody(net))


def test_a_payment_shows_in_the_mempool_and_then_in_its_block(net: Net) -> None:
    address, minor = net.new_address(), net.coin // 3
    txid = net.driver.send(address, minor)

    assert txid in net.chain.list_mempool()
    unmined = net.chain.read_mempool_tx(txid)
    assert [m.minor for m in unmined.movements if m.address == address] == [minor]
    assert net.chain.find_tx(txid).state == "mempool"

    net.driver.mine(1)
    block = tip_block(net)
    found = net.chain.find_tx(txid)

    assert txid not in net.chain.list_mempool()
    assert (found.state, found.block_height, found.block_hash) == ("mined", block.height, block.hash)
    (mined,) = [tx for tx in block.txs if tx.txid == txid]
    (movement,) = [m for m in mined.movements if m.address == address]
    assert movement in unmined.movements
    assert movement.minor == minor
    assert mined.ok


def test_an_output_is_known_by_its_number_and_top_level_value_as_native(net: Net) -> None:
    address = net.new_address()
    txid = net.driver.send(address, net.coin)
    net.driver.mine(1)

    (tx,) = [tx for tx in tip_block(net).txs if tx.txid == txid]
    (movement,) = [m for m in tx.movements if m.address == address]

    assert movement.position == "native" if net.chain.has_nonces else movement.position.isdigit()
    assert bool(tx.spends) != net.chain.has_nonces


def test_what_nobody_knows_is_unknown(net: Net) -> None:
    txid = txid_of_nobody(net)

    assert net.chain.find_tx(txid).state == "unknown"
    assert net.chain.read_mempool_tx(txid) is None


@pytest.mark.parametrize("depth", [1, 6])
def test_a_reorganisation_changes_hashes_and_mines_the_payment_elsewhere(net: Net, depth: int) -> None:
    address = net.new_address()
    txid = net.driver.send(address, net.coin)
    net.driver.mine(depth)
    before = net.chain.find_tx(txid)
    hashes = [net.chain.block_hash(before.block_height + step) for step in range(depth)]

    net.driver.reorganise(depth)
    net.driver.mine(1)
    after = net.chain.find_tx(txid)

    assert after.state == "mined"
    assert after.block_hash not in hashes
    assert all(net.chain.block_hash(before.block_height + step) not in hashes for step in range(depth))
    assert net.chain.balance([address]) == {address: net.coin}


def test_after_a_reorganisation_without_it_a_payment_is_not_mined(coin_net: Net) -> None:
    net = coin_net
    address = net.new_address()
    txid = net.driver.send(address, net.coin)
    net.driver.mine(2)

    net.driver.reorganise(2, keep=False)

    assert net.chain.find_tx(txid).state == "mempool"
    assert net.chain.balance([address]) == {address: 0}


def test_sending_again_is_always_allowed(net: Net) -> None:
    purse, target = net.fund(), net.new_address()
    raw, txid = purse.sign(target, net.coin)

    assert net.chain.broadcast(raw) == Sent(txid)
    assert net.chain.broadcast(raw) == Sent(txid)
    net.driver.mine(1)
    assert net.chain.broadcast(raw) == Sent(txid)
    assert net.chain.balance([target]) == {target: net.coin}


def test_a_mined_payment_whose_outputs_are_spent_is_still_sent(coin_net: Net) -> None:
    net = coin_net
    purse = net.fund()
    raw, txid = purse.sign(purse.address, net.coin)
    net.chain.broadcast(raw)
    net.driver.mine(1)
    for unspent in net.chain.list_unspent([purse.address]):
        purse.unspent = unspent
        onward, onward_id = purse.sign(net.new_address(), unspent.minor - 10_000)
        assert net.chain.broadcast(onward) == Sent(onward_id)
    net.driver.mine(1)

    assert net.chain.broadcast(raw) == Sent(txid)


def test_a_higher_bid_replaces_and_the_loser_conflicts(net: Net) -> None:
    purse, target = net.fund(), net.new_address()
    slow, slow_id = purse.sign(target, net.coin)
    fast, fast_id = purse.sign(target, net.coin, bid=4)
    net.chain.broadcast(slow)

    assert net.chain.broadcast(fast) == Sent(fast_id)
    assert fast_id in net.chain.list_mempool()
    assert slow_id not in net.chain.list_mempool()
    net.driver.mine(1)

    assert net.chain.find_tx(fast_id, raw=fast).state == "mined"
    assert net.chain.find_tx(slow_id, raw=slow).state == "conflicted"
    assert net.chain.find_tx(slow_id).state == "unknown"
    assert isinstance(net.chain.broadcast(slow), Refused)
    assert net.chain.balance([target]) == {target: net.coin}


def test_a_lower_bid_does_not_replace(net: Net) -> None:
    purse = net.fund()
    fast, fast_id = purse.sign(net.new_address(), net.coin, bid=4)
    slow, slow_id = purse.sign(net.new_address(), net.coin)
    net.chain.broadcast(fast)

    assert isinstance(net.chain.broadcast(slow), Refused)
    assert fast_id in net.chain.list_mempool()
    assert slow_id not in net.chain.list_mempool()


def test_a_payment_that_was_never_sent_is_unknown_and_not_conflicted(net: Net) -> None:
    raw, txid = net.fund().sign(net.new_address(), net.coin)

    assert net.chain.find_tx(txid, raw=raw).state == "unknown"


@pytest.mark.parametrize("raw", ["00", "not hex", ""])
def test_nonsense_is_refused(net: Net, raw: str) -> None:
    assert isinstance(net.chain.broadcast(raw), Refused)


def test_a_payment_of_coins_that_do_not_exist_is_refused(net: Net) -> None:
    purse = net.fund()
    if purse.unspent:
        purse.unspent = type(purse.unspent)(UNKNOWN_TXID, 0, purse.address, 5 * net.coin, 1)
    too_much = net.coin if purse.unspent else 6 * net.coin
    raw, _ = purse.sign(net.new_address(), too_much)

    assert isinstance(net.chain.broadcast(raw), Refused)


def test_a_node_that_is_down_is_an_error_and_for_a_broadcast_unknown(net: Net) -> None:
    dead = net.unreachable()
    raw, _ = net.fund().sign(net.new_address(), net.coin)

    for ask in (dead.identity, dead.tip, dead.list_mempool, dead.fee_quote):
        with pytest.raises(ChainError):
            ask()
    with pytest.raises(ChainError):
        dead.find_tx(txid_of_nobody(net))
    assert isinstance(dead.broadcast(raw), Unknown)


def test_an_answer_that_is_lost_after_acceptance_is_unknown_and_sending_again_is_sent(net: Net) -> None:
    purse, target = net.fund(), net.new_address()
    raw, txid = purse.sign(target, net.coin)
    deaf = net.deaf()

    assert isinstance(deaf.broadcast(raw), Unknown)
    assert txid in net.chain.list_mempool()
    assert net.chain.broadcast(raw) == Sent(txid)
    net.driver.mine(1)
    assert net.chain.balance([target]) == {target: net.coin}


def test_only_addresses_are_payable(net: Net) -> None:
    address = net.new_address()

    assert net.chain.is_payable(address)
    assert not net.chain.is_payable(address[:-1] + ("a" if address[-1] != "a" else "c"))
    assert not net.chain.is_payable("hello")


def test_balances_are_what_was_mined(net: Net) -> None:
    rich, poor = net.new_address(), net.new_address()
    net.driver.send(rich, net.coin)
    net.driver.send(rich, 2 * net.coin)
    assert net.chain.balance([rich, poor]) == {rich: 0, poor: 0}

    net.driver.mine(1)

    assert net.chain.balance([rich, poor]) == {rich: 3 * net.coin, poor: 0}
    assert net.chain.balance([]) == {}


def test_unspent_outputs_are_listed_with_where_they_are(coin_net: Net) -> None:
    net = coin_net
    address = net.new_address()
    txid = net.driver.send(address, net.coin)
    net.driver.mine(1)

    (unspent,) = net.chain.list_unspent([address, net.new_address()])

    assert (unspent.txid, unspent.address, unspent.minor) == (txid, address, net.coin)
    assert unspent.height == net.chain.tip().height
    assert net.chain.list_unspent([]) == []


def test_the_next_nonce_counts_mined_transactions_alone(account_net: Net) -> None:
    net = account_net
    purse = net.fund()
    raw, _ = purse.sign(net.new_address(), net.coin)

    net.chain.broadcast(raw)
    assert net.chain.next_nonce(purse.address) == purse.nonce
    net.driver.mine(1)
    assert net.chain.next_nonce(purse.address) == purse.nonce + 1


def test_a_mined_payment_tells_its_sender_nonce_and_fee(account_net: Net) -> None:
    net = account_net
    purse = net.fund()
    raw, txid = purse.sign(net.new_address(), net.coin)
    net.chain.broadcast(raw)
    net.driver.mine(1)

    (tx,) = [tx for tx in tip_block(net).txs if tx.txid == txid]

    assert (tx.sender, tx.nonce) == (purse.address, purse.nonce)
    assert net.chain.balance([purse.address])[purse.address] == 5 * net.coin - net.coin - tx.fee_minor


def test_value_sent_by_a_contract_is_found_under_its_trace(account_net: Net) -> None:
    net = account_net
    address = net.new_address()
    txid = net.send_internal(address, net.coin)
    net.driver.mine(1)

    (tx,) = [tx for tx in tip_block(net).txs if tx.txid == txid]

    (movement,) = [m for m in tx.movements if m.address == address]
    assert (movement.position, movement.minor) == ("t0", net.coin)
    assert sum(m.position == "native" for m in tx.movements) == 1
    assert net.chain.balance([address]) == {address: net.coin}


def test_a_failed_transaction_moves_nothing(account_net: Net) -> None:
    net = account_net
    address = net.new_address()
    txid = net.send_failing(address, net.coin)
    net.driver.mine(1)

    (tx,) = [tx for tx in tip_block(net).txs if tx.txid == txid]

    assert (tx.ok, tx.movements) == (False, ())
    assert tx.fee_minor > 0
    assert net.chain.balance([address]) == {address: 0}


def test_reading_a_block_costs_the_same_whatever_is_in_it(net: Net) -> None:
    net.driver.mine(1)
    start = net.calls()
    empty = tip_block(net)
    for_empty = net.calls() - start
    for _ in range(30):
        net.driver.send(net.new_address(), net.coin // 1000)
    net.driver.mine(1)

    start = net.calls()
    full = tip_block(net)

    assert len(full.txs) >= len(empty.txs) + 30
    assert net.calls() - start == for_empty


def test_reading_an_unmined_payment_costs_at_most_two_questions(net: Net) -> None:
    txid = net.driver.send(net.new_address(), net.coin)

    start = net.calls()
    net.chain.read_mempool_tx(txid)

    assert net.calls() - start <= 2


def test_gas_is_what_the_target_needs(net: Net) -> None:
    assert net.chain.estimate_gas(net.new_address()) == (21_000 if net.chain.has_nonces else 0)


def test_advised_fees_are_positive_in_order_and_within_bounds(net: Net) -> None:
    fees = net.chain.fee_quote()

    bounds = FEE_BOUNDS[net.code]
    assert bounds.least <= fees.floor_minor <= fees.per_unit_minor <= fees.fast_minor <= bounds.most
    assert fees.sight_minor <= fees.fast_minor
    assert fees.max_fee_minor >= fees.priority_minor
    assert (fees.max_fee_minor > 0) == net.chain.has_nonces
    assert (fees.base_minor + fees.priority_minor in (0, fees.per_unit_minor)) or not net.chain.has_nonces
    assert fees.clamped == ""


def test_an_ordinary_unmined_payment_offers_what_is_advised_for_two_blocks(net: Net) -> None:
    unmined = net.chain.read_mempool_tx(net.driver.send(net.new_address(), net.coin))

    assert unmined.rate_minor > 0
    assert net.chain.fee_quote().covers(unmined)
    assert not replace(net.chain.fee_quote(), sight_minor=unmined.rate_minor + 1).covers(unmined)


def test_what_a_payment_of_ours_offers_is_what_was_signed(net: Net) -> None:
    purse = net.fund()
    raw, txid = purse.sign(net.new_address(), net.coin)
    net.chain.broadcast(raw)

    # 5,000 for a P2WPKH payment of 141 virtual bytes; the fake counts no witness but whatever bytes there are.
    offered = net.chain.read_mempool_tx(txid).rate_minor
    assert offered == 3 * 10**9 if net.chain.has_nonces else offered in (35, 5000 * 2 // len(raw))
    net.driver.mine(1)


def test_a_payment_that_was_mined_is_not_read_as_unmined(net: Net) -> None:
    txid = net.driver.send(net.new_address(), net.coin)
    net.driver.mine(1)

    assert net.chain.read_mempool_tx(txid) is None


@pytest.mark.node
def test_a_fee_above_what_the_node_thinks_wise_is_sent_all_the_same(coin_net: Net) -> None:
    purse = coin_net.fund()
    raw, txid = purse.sign(coin_net.new_address(), coin_net.coin, bid=400)  # 0.02 LTC: over Core's own 0.1 a kilobyte

    assert coin_net.chain.broadcast(raw) == Sent(txid)
    coin_net.driver.mine(1)


@pytest.mark.node
def test_a_payment_that_waits_for_a_cheap_parent_offers_what_both_offer_together(litecoin_node) -> None:
    net = Net("litecoin", litecoin_node, open_chain("litecoin", litecoin_node.url), is_fake=False)
    purse = net.fund()
    parent, parent_id = purse.sign(net.new_address(), net.coin)
    net.chain.broadcast(parent)
    change = 4 * net.coin - 5000
    purse.unspent = replace(purse.unspent, txid=parent_id, vout=1, minor=change)
    child, child_id = purse.sign(net.new_address(), net.coin, bid=3)
    net.chain.broadcast(child)

    own, together = 15_000 // 141, 20_000 // 282
    assert net.chain.read_mempool_tx(child_id).rate_minor in (together, together + 1) != own
    litecoin_node.mine(1)


@pytest.mark.node
def test_a_contract_is_estimated_above_a_plain_payment(ethereum_node) -> None:
    contract = ethereum_node.deploy(FORWARD)

    assert open_chain("ethereum", ethereum_node.url).estimate_gas(contract) > 21_000


@pytest.mark.node
@pytest.mark.parametrize(
    "code", ["60006000fd", "fe", "5b600056", "50"], ids=["reverts", "invalid", "endless", "underflow"]
)
def test_a_contract_that_takes_no_payment_is_told_from_a_node_in_trouble(ethereum_node, code: str) -> None:
    chain = open_chain("ethereum", ethereum_node.url)
    contract = ethereum_node.deploy(code)

    with pytest.raises(TargetRefuses):
        chain.estimate_gas(contract)


@pytest.mark.node
def test_mined_coins_are_marked_immature(litecoin_node) -> None:
    litecoin_node.mine(1)
    chain = open_chain("litecoin", litecoin_node.url)

    assert [tx.coinbase for tx in chain.read_block(chain.tip().hash).txs] == [True]
