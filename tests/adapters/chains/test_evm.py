"""What the Ethereum adapter concludes from answers that a healthy anvil does not give."""

from typing import Any

import pytest

from wallets.chains.evm import EVMChain
from wallets.chains.protocol import MOST_TOKENS, ChainError, Movement, TooLarge
from wallets.chains.rpc import RPCError

HASH, OTHER = "0x" + "ab" * 32, "0x" + "cd" * 32
TXID = "0x" + "12" * 32
CUSTOMER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OURS = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


class ScriptedNode:
    """Answers each method from a table, by its first parameter where that is listed too; an exception in it is raised."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def call(self, method: str, *params: Any) -> Any:
        self.asked.append(method)
        answer = self.answers.get(f"{method} {params[0]}" if params else "", self.answers.get(method))
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


def node(receipts: Any, traces: Any, *, single: dict[str, Any] | None = None, many: bool = False) -> EVMChain:
    tx = {"hash": TXID, "from": CUSTOMER, "to": CUSTOMER, "value": "0x0", "nonce": "0x3"}
    txs = [tx | {"hash": said["transactionHash"]} for said in receipts] if many else [tx]
    block = {"number": "0x5", "hash": HASH, "parentHash": OTHER, "timestamp": "0x5", "transactions": txs}
    answers = {"eth_getBlockByHash": block, "eth_getBlockReceipts": receipts, "trace_block": traces} | (single or {})
    chain = EVMChain("ethereum", "http://localhost")
    chain.tracer = chain.rpc = ScriptedNode(answers)  # type: ignore[assignment]
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


TOO_LARGE, SILENT, REFUSED = TooLarge("over 16 MB"), ChainError("ReadTimeout"), RPCError(-32000, "execution timeout")
IDS = ["0x" + f"{number:02x}" * 32 for number in range(1, 8)]


def busy(number: int, gas: str = "0xffff") -> dict[str, Any]:
    return receipt(transactionHash=IDS[number], gasUsed=gas)


def paid(number: int) -> list[dict[str, Any]]:
    return [part | {"transactionHash": IDS[number]} for part in (trace([], 0), trace([0], number + 1))]


@pytest.mark.parametrize("all_at_once", [TOO_LARGE, SILENT, REFUSED, [trace([0], 5) | {"action": None}], None])
@pytest.mark.parametrize("one", [TOO_LARGE, SILENT, REFUSED, [{"nonsense": 1, "blockHash": HASH}], None])
def test_a_block_whose_traces_cannot_be_had_is_read_but_for_what_cannot(all_at_once: Any, one: Any) -> None:
    receipts = [busy(0), busy(1), busy(2), busy(3, "0x5208")]
    single = {f"trace_transaction {IDS[0]}": paid(0), f"trace_transaction {IDS[1]}": one}
    chain = node(receipts, all_at_once, single=single | {f"trace_transaction {IDS[2]}": paid(2)}, many=True)

    block = chain.read_block(HASH)

    assert [tx.movements for tx in block.txs] == [(Movement("t0", OURS, 1),), (), (Movement("t0", OURS, 3),), ()]
    assert (block.untraced, block.sees_internal) == ((IDS[1],), True)
    assert chain.rpc.asked.count("trace_transaction") == 3  # a plain payment calls nobody


def test_a_node_that_falls_silent_is_not_asked_for_every_transaction() -> None:
    chain = node([busy(number) for number in range(7)], SILENT, single={"trace_transaction": SILENT}, many=True)

    assert chain.read_block(HASH).untraced == tuple(IDS)
    assert chain.rpc.asked.count("trace_transaction") == 2


def test_the_time_for_single_transactions_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr("wallets.chains.evm_traces.ONE_BY_ONE_S", -1)
    chain = node([busy(0), busy(1)], TOO_LARGE, many=True)

    assert chain.read_block(HASH).untraced == (IDS[0], IDS[1])
    assert "trace_transaction" not in chain.rpc.asked


def test_single_traces_of_another_block_are_an_error() -> None:
    moved = {"trace_transaction": [trace([0], 5, blockHash=OTHER)]}

    with pytest.raises(ChainError, match="moved"):
        node([receipt(gasUsed="0xffff")], TOO_LARGE, single=moved).read_block(HASH)


def test_receipts_and_transactions_that_are_too_much_at_once_are_read_one_by_one() -> None:
    tx = {"hash": TXID, "from": CUSTOMER, "to": OURS, "value": "0x7", "nonce": "0x3"}
    block = {"number": "0x5", "hash": HASH, "parentHash": OTHER, "timestamp": "0x5", "transactions": [TXID]}
    chain = node([], [])

    class Halving(ScriptedNode):
        def call(self, method: str, *params: Any) -> Any:
            return super().call(method, *params) if params != (HASH, True) else self.refuse()

        def refuse(self) -> Any:
            raise TOO_LARGE

    single = {"eth_getTransactionByHash": tx, "eth_getTransactionReceipt": receipt()}
    answers = {"eth_getBlockByHash": block, "eth_getBlockReceipts": TOO_LARGE, "trace_block": []} | single
    chain.tracer = chain.rpc = Halving(answers)  # type: ignore[assignment]

    (read,) = chain.read_block(HASH).txs
    assert (read.txid, read.movements) == (TXID, (Movement("native", OURS, 7),))


def test_one_receipt_that_is_too_large_hides_its_own_transaction_alone() -> None:
    """78,400 empty events, for 30 million gas, are a receipt of 28 MB: the block was never read, and none after it."""
    chain = node([receipt(), receipt(transactionHash=OTHER)], [], many=True)
    answers = {"eth_getBlockReceipts": TOO_LARGE, f"eth_getTransactionReceipt {OTHER}": TOO_LARGE}
    chain.rpc.answers |= answers | {"eth_getTransactionReceipt": receipt()}  # type: ignore[attr-defined]

    block = chain.read_block(HASH)

    assert [tx.txid for tx in block.txs] == [TXID]
    assert [(txid, "receipt" in why) for txid, why in block.unread] == [(OTHER, True)]


@pytest.mark.parametrize(("depth", "kept"), [(19, True), (20, True), (21, False), (25, False), (1023, False)])
def test_a_deep_path_becomes_a_key_that_fits_and_stays_its_own(depth: int, kept: bool) -> None:
    path, sibling = [0] * depth, [0] * (depth - 1) + [1]
    first, second = movements(trace(path, 5), trace(sibling, 6))

    assert (first.position == "t" + ".".join(["0"] * depth)) is kept
    assert first.position != second.position
    assert max(len(first.position), len(second.position)) <= 40
    assert movements(trace(path, 5), trace(sibling, 6)) == (first, second)
    assert not first.position.isdigit()


def test_tokens_are_told_by_their_number_in_the_receipt() -> None:
    transfer = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    of = ["0x" + "00" * 12 + address[2:].lower() for address in (CUSTOMER, OURS)]
    logs = [
        {"address": OTHER[:42], "topics": [transfer], "data": "0x"},
        {"address": OTHER[:42], "topics": [transfer, *of], "data": "0x64"},
        {"address": OTHER[:42], "topics": [transfer, *of, "0x01"], "data": "0x"},  # an NFT
        {"address": OTHER[:42], "topics": [transfer, *of], "data": "0x"},
        {"address": OTHER[:42], "topics": [transfer, *of], "data": "0x" + "ff" * 3000},  # whatever follows the amount
    ]

    tokens = node([receipt(logs=logs)], []).read_block(HASH).tokens

    assert [(t.position, t.address, t.amount) for t in tokens] == [(1, OURS, 100), (3, OURS, 0), (4, OURS, MOST_TOKENS)]


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
