"""What both adapters make of a node's plain answers: where a transaction is, what waits, what an address holds."""

from typing import Any

import pytest

from tests.adapters.chains.test_core_rpc import TXID as CORE_TXID
from tests.adapters.chains.test_core_rpc import chain as core
from tests.adapters.chains.test_evm import HASH, OURS, TXID, ScriptedNode, node, receipt
from tests.wallets.signer.rows import raw_numbered, raw_spending, txid_of
from wallets.chains.evm import _BATCH, EVMChain
from wallets.chains.protocol import Refused, Sent, Unknown
from wallets.chains.rpc import RPCError

ABSENT = RPCError(-5, "No such mempool or blockchain transaction")
RAW, RAW_ID = raw_spending((txid_of("a"), 0), (txid_of("b"), 1))
SIGNED, SIGNED_ID = raw_numbered(7)


def evm(**answers: Any) -> EVMChain:
    chain = EVMChain("ethereum", "http://localhost")
    chain.tracer = chain.rpc = ScriptedNode(answers)  # type: ignore[assignment]
    return chain


# confirmations that the node tells of a transaction in a block; where it is
@pytest.mark.parametrize(
    ("found", "state"),
    [
        ({"txid": CORE_TXID}, "mempool"),
        ({"txid": CORE_TXID, "blockhash": HASH, "confirmations": 1}, "mined"),
        ({"txid": CORE_TXID, "blockhash": HASH, "confirmations": 7}, "mined"),
        ({"txid": CORE_TXID, "blockhash": HASH, "confirmations": 0}, "unknown"),
        ({"txid": CORE_TXID, "blockhash": HASH, "confirmations": -1}, "unknown"),
        ({"txid": CORE_TXID, "blockhash": HASH}, "unknown"),
        (ABSENT, "unknown"),
    ],
)
def test_where_core_says_that_a_transaction_is(found: Any, state: str) -> None:
    status = core(getrawtransaction=found, getblockheader={"height": 9}).find_tx(CORE_TXID)
    assert (status.state, status.block_height) == (state, 9 if state == "mined" else None)


@pytest.mark.parametrize(("coin", "state"), [({"value": 1}, "unknown"), (None, "conflicted")])
def test_what_core_never_heard_of_is_lost_when_its_coins_are_gone(coin: Any, state: str) -> None:
    assert core(getrawtransaction=ABSENT, gettxout=coin).find_tx(RAW_ID, raw=RAW).state == state


REFUSED = RPCError(-26, "min relay fee not met")


@pytest.mark.parametrize(
    ("answer", "found", "said"),
    [
        (RAW_ID, None, Sent(RAW_ID)),
        (REFUSED, ABSENT, Refused("-26", "min relay fee not met")),
        (REFUSED, {"txid": RAW_ID}, Sent(RAW_ID)),  # it has it already
    ],
)
def test_what_core_says_when_it_is_sent_something(answer: Any, found: Any, said: Any) -> None:
    assert core(sendrawtransaction=answer, getrawtransaction=found).broadcast(RAW) == said


def test_another_id_than_ours_proves_nothing() -> None:
    assert isinstance(core(sendrawtransaction=CORE_TXID).broadcast(RAW), Unknown)
    assert isinstance(evm(eth_sendRawTransaction=TXID).broadcast(SIGNED), Unknown)


def test_core_is_asked_with_no_bound_of_its_own() -> None:
    """Its default would refuse a payment of more than 0.1 coins a kilobyte, which ours forbid long before."""
    asked: list[Any] = []
    chain = core()

    def call(method: str, *params: Any) -> str:
        asked.append((method, *params))
        return RAW_ID

    chain.rpc.call = call  # type: ignore[method-assign]
    chain.broadcast(RAW)
    assert asked == [("sendrawtransaction", RAW, 0)]


@pytest.mark.parametrize(
    ("tx", "found", "state", "height"),
    [
        ({"hash": TXID}, {"blockNumber": "0x1f", "blockHash": HASH}, "mined", 31),
        ({"hash": TXID}, None, "mempool", None),
        (None, None, "unknown", None),
    ],
)
def test_where_a_node_of_ether_says_that_a_transaction_is(tx: Any, found: Any, state: str, height: int | None) -> None:
    status = evm(eth_getTransactionByHash=tx, eth_getTransactionReceipt=found).find_tx(TXID)
    assert (status.state, status.block_height) == (state, height)


@pytest.mark.parametrize(("used", "state"), [("0x6", "unknown"), ("0x7", "unknown"), ("0x8", "conflicted")])
def test_what_it_never_heard_of_is_lost_when_its_nonce_is_used(used: str, state: str) -> None:
    """The count of used nonces is the next one: with 8, number 7 is gone."""
    chain = evm(eth_getTransactionByHash=None, eth_getTransactionReceipt=None, eth_getTransactionCount=used)
    assert chain.find_tx(SIGNED_ID, raw=SIGNED).state == state


@pytest.mark.parametrize(
    ("pending", "latest", "waiting"),
    [
        (None, None, []),
        ({"transactions": ["a", "b"]}, None, ["a", "b"]),
        ({"transactions": ["a", "b"]}, {"transactions": []}, ["a", "b"]),
        ({"transactions": ["a", "b"]}, {"transactions": ["a"]}, ["b"]),  # mined a moment ago
    ],
)
def test_what_waits_for_a_block(pending: Any, latest: Any, waiting: list[str]) -> None:
    chain = evm(**{"eth_getBlockByNumber pending": pending, "eth_getBlockByNumber latest": latest})
    assert chain.list_mempool() == waiting


@pytest.mark.parametrize("count", [0, 1, _BATCH, _BATCH + 1], ids=["none", "one", "one batch", "one more"])
def test_every_address_is_asked_for_its_balance(count: int) -> None:
    addresses = [f"0x{number:040x}" for number in range(count)]
    assert evm(eth_getBalance="0x1f").balance(addresses) == dict.fromkeys(addresses, 31)


@pytest.mark.parametrize(("data", "minor"), [("0x", 0), ("0x1f", 31), ("0x" + "0" * 63 + "9", 9)])
def test_how_much_of_a_token_moved(data: str, minor: int) -> None:
    topics = ["0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef", "0x" + "0" * 64]
    log = {"topics": [*topics, "0x" + "0" * 24 + OURS[2:].lower()], "data": data, "address": OURS}
    (token,) = node([receipt(logs=[log])], []).read_block(HASH).tokens
    assert (token.amount, token.address) == (minor, OURS)


@pytest.mark.parametrize(
    ("fields", "rate", "tip"),
    [
        ({"maxFeePerGas": "0x14", "maxPriorityFeePerGas": "0x2", "gasPrice": "0x9"}, 20, 2),
        ({"gasPrice": "0x9"}, 9, 9),
    ],
)
def test_what_an_unmined_transaction_offers(fields: dict[str, str], rate: int, tip: int) -> None:
    tx = {"hash": TXID, "from": OURS, "to": OURS, "value": "0x1", "nonce": "0x3", "blockNumber": None} | fields
    found = evm(eth_getTransactionByHash=tx).read_mempool_tx(TXID)
    assert found is not None
    assert (found.rate_minor, found.priority_minor) == (rate, tip)
    assert evm(eth_getTransactionByHash=tx | {"blockNumber": "0x1"}).read_mempool_tx(TXID) is None
    assert evm(eth_getTransactionByHash=None).read_mempool_tx(TXID) is None


@pytest.mark.parametrize(("code", "gas"), [("0x", 21_000), ("0x0", 21_000), (None, 21_000)])
def test_a_payment_to_an_address_without_code_takes_a_plain_transfer(code: Any, gas: int) -> None:
    assert evm(eth_getCode=code).estimate_gas(OURS) == gas
