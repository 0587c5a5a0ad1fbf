"""What the Ethereum adapter concludes from answers that a healthy anvil does not give."""

from typing import Any

import pytest

from wallets.chains.evm import EVMChain
from wallets.chains.protocol import ChainError, Movement
from wallets.chains.rpc import RPCError

HASH, OTHER = "0x" + "ab" * 32, "0x" + "cd" * 32
TXID = "0x" + "12" * 32
CUSTOMER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OURS = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


class ScriptedNode:
    """Answers each method from a table; an exception in it is raised."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers

    def call(self, method: str, *_: Any) -> Any:
        answer = self.answers[method]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def batch(self, questions: list[tuple[str, list[Any]]]) -> list[Any]:
        return [self.call(method) for method, _ in questions]


def receipt(**changes: Any) -> dict[str, Any]:
    return {
        "transactionHash": TXID,
        "blockHash": HASH,
        "status": "0x1",
        "gasUsed": "0x5208",
        "effectiveGasPrice": "0x2",
    } | changes


def trace(path: list[int], value: int, *, to: str = OURS, kind: str = "call", **changes: Any) -> dict[str, Any]:
    action = {"callType": kind, "from": CUSTOMER, "to": to, "value": hex(value)}
    return {
        "type": "call",
        "action": action,
        "traceAddress": path,
        "transactionHash": TXID,
        "blockHash": HASH,
    } | changes


def node(receipts: Any, traces: Any) -> EVMChain:
    tx = {"hash": TXID, "from": CUSTOMER, "to": CUSTOMER, "value": "0x0", "nonce": "0x3"}
    block = {"number": "0x5", "hash": HASH, "parentHash": OTHER, "timestamp": "0x5", "transactions": [tx]}
    chain = EVMChain("ethereum", "http://localhost")
    chain.rpc = ScriptedNode({"eth_getBlockByHash": block, "eth_getBlockReceipts": receipts, "trace_block": traces})  # type: ignore[assignment]
    return chain


def movements(*traces: dict[str, Any]) -> tuple[Movement, ...]:
    return node([receipt()], list(traces)).read_block(HASH).txs[0].movements


def test_inner_calls_are_movements_and_the_top_level_is_not_counted_twice() -> None:
    found = movements(trace([], 7), trace([0], 5), trace([0, 2], 3))

    assert found == (Movement("t0", OURS, 5), Movement("t0.2", OURS, 3))


@pytest.mark.parametrize("kind", ["delegatecall", "staticcall", "callcode"])
def test_calls_that_move_no_value_are_left_out(kind) -> None:
    assert movements(trace([], 7), trace([0], 5, kind=kind)) == ()


@pytest.mark.parametrize("failed", [[0], [0, 1]])
def test_what_a_failed_caller_sent_did_not_happen(failed) -> None:
    healthy = [trace([], 0), trace([0], 0), trace([0, 1], 0), trace([0, 1, 0], 5)]
    assert movements(*healthy) == (Movement("t0.1.0", OURS, 5),)

    broken = [t | {"error": "Reverted"} if t["traceAddress"] == failed else t for t in healthy]

    assert movements(*broken) == ()


def test_a_contract_that_ends_itself_pays_its_heir() -> None:
    end = trace([0], 0) | {"type": "suicide", "action": {"address": CUSTOMER, "refundAddress": OURS, "balance": "0x9"}}

    assert movements(trace([], 0), end) == (Movement("t0", OURS, 9),)


def test_a_failed_transaction_moves_nothing_but_costs_its_fee() -> None:
    tx = node([receipt(status="0x0")], [trace([0], 5)]).read_block(HASH).txs[0]

    assert (tx.ok, tx.movements, tx.fee_minor) == (False, (), 42_000)


def test_a_node_without_traces_is_read_and_said_to_be_blind_to_contracts() -> None:
    chain = node([receipt()], RPCError(-32601, "the method trace_block does not exist"))

    assert chain.read_block(HASH).txs[0].movements == ()
    assert not chain.sees_internal


def test_traces_that_fail_for_another_reason_stop_the_scan() -> None:
    chain = node([receipt()], RPCError(-32000, "execution timeout"))

    with pytest.raises(ChainError):
        chain.read_block(HASH)


@pytest.mark.parametrize(
    ("receipts", "traces"),
    [
        ([receipt(blockHash=OTHER)], []),
        ([receipt()], [trace([0], 5, blockHash=OTHER)]),
        ([], []),
        (None, []),
        ([receipt(status="nonsense")], []),
        ("nonsense", []),
    ],
    ids=["receipt-of-another-block", "trace-of-another-block", "no-receipt", "null", "no-status", "no-list"],
)
def test_answers_that_do_not_fit_together_are_errors(receipts, traces) -> None:
    with pytest.raises(ChainError):
        node(receipts, traces).read_block(HASH)
