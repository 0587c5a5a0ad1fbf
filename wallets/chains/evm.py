"""Ethereum and its kin through JSON-RPC: top-level value, value sent by contracts (traces), nonces, EIP-1559 fees.

Calls: https://ethereum.org/en/developers/docs/apis/json-rpc/ and `trace_block` as OpenEthereum, Erigon and anvil have it.
A transaction whose receipt says it failed moves nothing.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from wallets.chains.evm_traces import read_inner
from wallets.chains.fees import FEE_BOUNDS, FeeBounds, clamp
from wallets.chains.protocol import (
    Block,
    ChainError,
    FeeQuote,
    Movement,
    Refused,
    Sent,
    TargetRefuses,
    Tip,
    TokenMovement,
    TooLarge,
    Tx,
    TxStatus,
    Unknown,
    Unspent,
)
from wallets.chains.rpc import METHOD_NOT_FOUND, RPCClient, RPCError, distrust_answers
from wallets.chains.signing import read_signed_evm
from wallets.chains.sizes import PLAIN_GAS

_BATCH = 500
_NOBODY = "0x" + "0" * 36 + "dead"  # an address without code, on every network
_FEE_BLOCKS = 6
_TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"  # Transfer(address,address,uint256)
_WORD = len("0x") + 64  # the first of the log's data: how much is sent; a contract may let thousands of bytes follow
_TRANSFER_TOPICS = 3  # with the two addresses indexed; an NFT's has four


@distrust_answers
class EVMChain:
    """An Ethereum node of `code`. Not shared between threads."""

    has_nonces = True

    def __init__(self, code: str, url: str) -> None:
        self.code = code
        self.rpc = RPCClient(url, version="2.0")
        # Traces may be long in coming, and the block is finished without them: they are not waited for as long.
        self.tracer = RPCClient(url, version="2.0", read_s=5)
        self._chain_id: int | None = None
        self.sees_internal = True  # false: the node refuses traces, so payments made by contracts go unseen

    def _ask(self, method: str, *params: Any) -> Any:
        try:
            return self.rpc.call(method, *params)
        except RPCError as error:
            raise ChainError(f"{method}: {error}") from error

    @property
    def chain_id(self) -> int:
        if self._chain_id is None:
            self._chain_id = int(self._ask("eth_chainId"), 16)
        return self._chain_id

    def identity(self) -> str:
        chain_id, genesis = self._batch(("eth_chainId", []), ("eth_getBlockByNumber", ["0x0", False]))
        return f"{int(chain_id, 16)}:{genesis['hash']}"

    def tip(self) -> Tip:
        block, syncing, peers = self._batch(
            ("eth_getBlockByNumber", ["latest", False]), ("eth_syncing", []), ("net_peerCount", []), optional=(2,)
        )
        return Tip(
            height=int(block["number"], 16),
            hash=block["hash"],
            at=_time(block["timestamp"]),
            syncing=bool(syncing),
            peers=int(peers, 16) if isinstance(peers, str) else 0,
        )

    def _batch(self, *questions: tuple[str, list[Any]], optional: tuple[int, ...] = ()) -> list[Any]:
        """Ask in one request. A method that the node does not have answers None where that is allowed."""
        results: list[Any] = []
        try:
            return self.rpc.batch(list(questions))
        except RPCError as error:
            if not optional:
                raise ChainError(str(error)) from error
        for place, (method, params) in enumerate(questions):
            try:
                results.append(self.rpc.call(method, *params))
            except RPCError as error:
                # Any other error may pass: concluding "nothing there" from it would lose a deposit for ever.
                if place not in optional or error.code != METHOD_NOT_FOUND:
                    raise ChainError(str(error)) from error
                results.append(None)
        return results

    def block_hash(self, height: int) -> str | None:
        block = self._ask("eth_getBlockByNumber", hex(height), False)
        return str(block["hash"]) if block else None

    def read_block(self, block_hash: str) -> Block:
        """Read block, receipts and traces: three questions, whatever is in it, unless an answer would be too large."""
        block = self._read_with_txs(block_hash)
        receipts, unread = self._read_receipts(block)
        by_hash = {receipt["transactionHash"]: receipt for receipt in receipts}
        if any(receipt.get("blockHash") != block["hash"] for receipt in by_hash.values()):
            raise ChainError("the chain moved while a block was read")
        txs = [tx for tx in block["transactions"] if tx["hash"] not in unread]
        if any(tx["hash"] not in by_hash for tx in txs):
            raise ChainError("the node left out a receipt")  # without it, a failed payment would look like a good one
        # Who used no more gas than a plain payment called nobody.
        callers = [txid for txid, receipt in by_hash.items() if int(receipt["gasUsed"], 16) > PLAIN_GAS]
        inner = read_inner(self.tracer, number=block["number"], block_hash=block["hash"], txids=callers)
        self.sees_internal = inner.sees
        return Block(
            height=int(block["number"], 16),
            hash=block["hash"],
            parent_hash=block["parentHash"],
            at=_time(block["timestamp"]),
            txs=tuple(_read_tx(tx, by_hash[tx["hash"]], inner.movements.get(tx["hash"], ())) for tx in txs),
            sees_internal=inner.sees,
            unread=tuple(unread.items()),
            untraced=tuple(inner.untraced),
            tokens=tuple(token for receipt in by_hash.values() for token in receipt["tokens"]),
        )

    def _read_with_txs(self, block_hash: str) -> dict[str, Any]:
        try:
            block: dict[str, Any] | None = self._ask("eth_getBlockByHash", block_hash, True)
        except TooLarge:
            block = self._ask("eth_getBlockByHash", block_hash, False)
            block["transactions"] = [self._ask("eth_getTransactionByHash", txid) for txid in block["transactions"]]
        if not block:
            raise ChainError(f"block {block_hash} is gone")
        return block

    def _read_receipts(self, block: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """Return the receipts, and which transactions have one that is too large, and why; nobody knows what those did.

        Seventeen million gas make a receipt of 16 MB, so of each only what is needed is kept.
        """
        try:
            return [_without_logs(receipt) for receipt in self._ask("eth_getBlockReceipts", block["number"]) or []], {}
        except TooLarge:
            found, unread = [], {}
        for tx in block["transactions"]:
            try:
                found.append(_without_logs(self._ask("eth_getTransactionReceipt", tx["hash"])))
            except TooLarge as error:
                unread[tx["hash"]] = f"its receipt cannot be read: {error}"
        return found, unread

    def list_mempool(self) -> list[str]:
        """List pending transactions of the pending block; contract payments show only once mined."""
        block = self._ask("eth_getBlockByNumber", "pending", False)
        if not block:
            return []
        latest = self._ask("eth_getBlockByNumber", "latest", False)
        mined = set(latest["transactions"]) if latest else set()
        return [txid for txid in block["transactions"] if txid not in mined]

    def read_mempool_tx(self, txid: str) -> Tx | None:
        tx = self._ask("eth_getTransactionByHash", txid)
        if not tx or tx.get("blockNumber"):
            return None
        offered = int(tx.get("maxFeePerGas") or tx["gasPrice"], 16)
        tip = int(tx.get("maxPriorityFeePerGas") or tx["gasPrice"], 16)
        return replace(_read_tx(tx, None, ()), rate_minor=offered, priority_minor=tip)

    def find_tx(self, txid: str, *, raw: str = "") -> TxStatus:
        tx, receipt = self._batch(("eth_getTransactionByHash", [txid]), ("eth_getTransactionReceipt", [txid]))
        if receipt:
            return TxStatus("mined", int(receipt["blockNumber"], 16), receipt["blockHash"])
        if tx:
            return TxStatus("mempool")
        return TxStatus("conflicted" if raw and self._nonce_is_used(raw) else "unknown")

    def _nonce_is_used(self, raw: str) -> bool:
        signed = read_signed_evm(raw)
        return self.next_nonce(signed.sender) > signed.nonce

    def broadcast(self, raw: str) -> Sent | Refused | Unknown:
        try:
            txid = "0x" + keccak(hexstr=raw).hex()
        except ValueError as error:
            return Refused("not_a_transaction", str(error))
        try:
            said = self.rpc.call("eth_sendRawTransaction", raw)
        except RPCError as error:
            return self._explain(txid, error)
        except ChainError as error:
            return Unknown(str(error))
        return Sent(txid) if said == txid else Unknown(f"the node answered another id: {said}")

    def _explain(self, txid: str, error: RPCError) -> Sent | Refused | Unknown:
        """Look the transaction up: "known already" and "nonce too low" may both mean that it is there: success."""
        try:
            known = self.find_tx(txid).state in ("mined", "mempool")
        except ChainError as trouble:
            return Unknown(str(trouble))
        return Sent(txid) if known else Refused(str(error.code), error.message)

    def fee_quote(self) -> FeeQuote:
        """Hold the node's advised tip against what was mined in the last six blocks; base fee of the next block."""
        latest, advised, history = self._batch(
            ("eth_getBlockByNumber", ["latest", False]),
            ("eth_maxPriorityFeePerGas", []),
            ("eth_feeHistory", [hex(_FEE_BLOCKS), "latest", [10, 50, 75]]),
            optional=(2,),
        )
        base, tips = _read_history(history)
        return quote_gas(
            FEE_BOUNDS[self.code],
            base=_may_rise(int(latest.get("baseFeePerGas", "0x0"), 16)) if base is None else base,
            advised_tip=int(advised, 16),
            mined_tips=tips,
        )

    def estimate_gas(self, address: str) -> int:
        """Return 21,000 for an address without code; for a contract what the node estimates, plus a fifth."""
        if self._ask("eth_getCode", address, "latest") in ("0x", "0x0", None):
            return PLAIN_GAS
        try:
            estimate = int(self.rpc.call("eth_estimateGas", {"to": address, "value": "0x1"}), 16)
        except RPCError as error:
            # Contracts fail in many words. A node that answers the same question about an address without code is well.
            self._ask("eth_estimateGas", {"to": _NOBODY, "value": "0x1"})
            raise TargetRefuses(f"the contract at {address} takes no payment: {error}") from error
        return estimate + estimate // 5

    def is_payable(self, address: str) -> bool:
        try:
            return to_checksum_address(address) == address
        except ValueError:
            return False

    def balance(self, addresses: list[str]) -> dict[str, int]:
        held: dict[str, int] = {}
        for start in range(0, len(addresses), _BATCH):
            part = addresses[start : start + _BATCH]
            answers = self._batch(*(("eth_getBalance", [address, "latest"]) for address in part))
            held |= {address: int(answer, 16) for address, answer in zip(part, answers, strict=True)}
        return held

    def list_unspent(self, addresses: list[str]) -> list[Unspent]:
        return []

    def value_of(self, outputs: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
        return {}

    def next_nonce(self, address: str) -> int:
        return int(self._ask("eth_getTransactionCount", address, "latest"), 16)


def _may_rise(base: int) -> int:
    """Return the most a base fee can be one block later (EIP-1559: an eighth more)."""
    return base + base // 8


def _read_history(history: dict[str, Any] | None) -> tuple[int | None, list[tuple[int, ...]]]:
    """Return the next block's base fee, and the 10th, 50th and 75th percentile of the tips of each block that had any."""
    if not history or not history.get("baseFeePerGas"):
        return None, []
    tips = [tuple(int(tip, 16) for tip in block) for block in history.get("reward") or []]
    return int(history["baseFeePerGas"][-1], 16), [block for block in tips if any(block)]


def quote_gas(bounds: FeeBounds, *, base: int, advised_tip: int, mined_tips: list[tuple[int, ...]]) -> FeeQuote:
    """Work out what to offer; pure.

    The advised tip is believed up to twice what three quarters of the recently mined gas paid. A first sight counts
    with the least tip that was mined lately on top of the next block's base fee.
    """
    notes: list[str] = []
    tip = clamp("the advised tip", advised_tip, 0, bounds.most_tip, notes)
    if mined_tips:
        tip = min(tip, max(2 * max(block[2] for block in mined_tips), 1))
    fast_tip = max([tip, *(min(block[2], bounds.most_tip) for block in mined_tips)])
    least_tip = min([tip, *(block[0] for block in mined_tips)])
    base = clamp("the base fee", base, 0, bounds.most, notes)
    return FeeQuote(
        per_unit_minor=max(base + tip, bounds.least),
        max_fee_minor=max(2 * base + tip, bounds.least),
        priority_minor=tip,
        fast_minor=max(_may_rise(base) + fast_tip, bounds.least),
        floor_minor=max(base, bounds.least),
        base_minor=base,
        sight_minor=base + least_tip,
        sight_priority_minor=least_tip,
        clamped="; ".join(notes),
    )


def _time(stamp: str) -> datetime:
    return datetime.fromtimestamp(int(stamp, 16), tz=UTC)


def _read_tx(tx: dict[str, Any], receipt: dict[str, Any] | None, internal: tuple[Movement, ...]) -> Tx:
    ok = receipt is None or int(receipt["status"], 16) == 1
    movements: tuple[Movement, ...] = ()
    if ok and tx.get("to") and int(tx["value"], 16):
        movements = (Movement("native", to_checksum_address(tx["to"]), int(tx["value"], 16)),)
    fee = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16) if receipt else None
    return Tx(
        txid=tx["hash"],
        movements=movements + (internal if ok else ()),
        sender=to_checksum_address(tx["from"]),
        nonce=int(tx["nonce"], 16),
        ok=ok,
        fee_minor=fee,
    )


def _without_logs(receipt: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in receipt.items() if name != "logs"} | {"tokens": _read_tokens(receipt)}


def _read_tokens(receipt: dict[str, Any]) -> list[TokenMovement]:
    """List the ERC-20 transfers of a receipt, by their number in its own list (which a reorganisation does not change)."""
    found = []
    for place, log in enumerate(receipt.get("logs") or []):
        topics = log["topics"]
        if len(topics) == _TRANSFER_TOPICS and topics[0] == _TRANSFER:
            address, amount = to_checksum_address("0x" + topics[2][-40:]), log["data"]
            amount_minor = int(amount[:_WORD], 16) if len(amount) > len("0x") else 0
            found.append(TokenMovement(receipt["transactionHash"], place, log["address"], address, amount_minor))
    return found
