"""What contracts pay inside transactions, from a node's traces, within bounds of time and memory.

`trace_block` and `trace_transaction` as OpenEthereum, Erigon, Nethermind, Reth and anvil have them. How much a node answers
is in the hands of strangers: 250,000 gas are enough for 64 MB.
"""

import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from eth_utils.address import to_checksum_address

from wallets.chains.protocol import ChainError, Movement, TooLarge, bound_position
from wallets.chains.rpc import METHOD_NOT_FOUND, NONSENSE, RPCClient, RPCError

Traces = Sequence[dict[str, Any]]
ONE_BY_ONE_S = 10  # for the transactions of one block together
MOST_SILENCES = 2  # one after another; then the node is not asked for more of this block


@dataclass(slots=True)
class Inner:
    """What contracts paid, by transaction. `sees`: the node has traces at all; `untraced`: those it would not tell of."""

    movements: dict[str, tuple[Movement, ...]] = field(default_factory=dict)
    sees: bool = True
    untraced: list[str] = field(default_factory=list)


def read_inner(tracer: RPCClient, *, number: str, block_hash: str, txids: Sequence[str]) -> Inner:
    """Read the inner payments of a block: all at once, or one transaction after the other where that is too much.

    `txids`: those that may hold any. What cannot be had is named and stops nothing. Raises: ChainError when the block is
    no longer at its height.
    """
    try:
        traces = tracer.call("trace_block", number)
    except RPCError as error:
        if error.code == METHOD_NOT_FOUND:
            return Inner(sees=False)
    except ChainError:
        pass  # too large or too slow; that the node is there at all, its receipts have shown
    else:
        _refuse_another_block(traces, block_hash)
        try:
            return Inner(find_movements(traces))
        except NONSENSE:
            pass  # of one transaction, most likely
    return _read_one_by_one(tracer, block_hash, txids)


def _read_one_by_one(tracer: RPCClient, block_hash: str, txids: Sequence[str]) -> Inner:
    until_ns = time.monotonic_ns() + ONE_BY_ONE_S * 10**9
    found, silences = Inner(), 0
    for txid in txids:
        if silences >= MOST_SILENCES or time.monotonic_ns() > until_ns:
            found.untraced.append(txid)
            continue
        try:
            traces = tracer.call("trace_transaction", txid)
            silences = 0
        except (RPCError, TooLarge):
            found.untraced.append(txid)
            silences = 0
            continue
        except ChainError:
            found.untraced.append(txid)
            silences += 1
            continue
        _refuse_another_block(traces, block_hash)
        try:
            found.movements |= find_movements(traces)
        except NONSENSE:
            found.untraced.append(txid)
    return found


def _refuse_another_block(traces: Any, block_hash: str) -> None:
    if isinstance(traces, list) and any(
        isinstance(trace, dict) and trace.get("blockHash") != block_hash for trace in traces
    ):
        raise ChainError("the chain moved while a block was read")


def find_movements(traces: Traces) -> dict[str, tuple[Movement, ...]]:
    """Find value that contracts sent: calls below the top level that moved value, and whose every caller succeeded; pure.

    Raises: KeyError and kin for traces of another shape.
    """
    failed = {(trace.get("transactionHash"), tuple(trace["traceAddress"])) for trace in traces if trace.get("error")}
    found: dict[str, list[Movement]] = {}
    for trace in traces:
        path, txid = tuple(trace["traceAddress"]), trace.get("transactionHash")
        if trace["type"] not in ("call", "suicide") or not txid:
            continue
        target, value = _target(trace["type"], trace["action"], path)
        if target and value and not _is_undone(txid, path, failed):
            position = bound_position("t" + ".".join(map(str, path)))
            found.setdefault(txid, []).append(Movement(position, to_checksum_address(target), value))
    return {txid: tuple(moves) for txid, moves in found.items()}


def _is_undone(txid: str, path: tuple[int, ...], failed: AbstractSet[tuple[str | None, tuple[int, ...]]]) -> bool:
    return bool(failed) and any((txid, path[:depth]) in failed for depth in range(len(path) + 1))


def _target(kind: str, action: dict[str, Any], path: tuple[int, ...]) -> tuple[str | None, int]:
    if kind == "suicide":
        return action.get("refundAddress"), int(action.get("balance", "0x0"), 16)
    if not path or action.get("callType") != "call":
        return None, 0  # the top level is the transaction itself; delegatecall and staticcall move nothing
    return action.get("to"), int(action.get("value", "0x0"), 16)
