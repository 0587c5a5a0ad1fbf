"""The Bitcoin family through Core's RPC: proven on Litecoin Core, the same calls on Bitcoin Core and Dogecoin Core.

The node needs txindex=1. Its wallet is never used: detection reads blocks, coins and keys are ours.
Calls: https://developer.bitcoin.org/reference/rpc/
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from embit.transaction import Transaction

from wallets.chains.fees import FEE_BOUNDS, clamp
from wallets.chains.protocol import (
    Block,
    ChainError,
    FeeQuote,
    Movement,
    Refused,
    Sent,
    Tip,
    TooLarge,
    Tx,
    TxStatus,
    Unknown,
    Unspent,
)
from wallets.chains.rpc import NONSENSE, RPCClient, RPCError, distrust_answers

_COIN = Decimal(10**8)
_NOT_FOUND = -5
_BAD_PARAMETER = -8
_MISCELLANEOUS = -1
_HEADERS_AHEAD = 6  # more headers than this without their blocks: the node is catching up
_BATCH = 500
_WALK_S = 900  # a walk through all unspent outputs of a main network
_ANY_FEE_RATE = 0  # of sendrawtransaction: no bound of the node's own
_MWEB_WEIGHT_FEE = 100  # Litecoin Core, policy/feerate.cpp: what each unit of weight in MWEB costs, in minor units


def minor(amount: Any) -> int:
    """Turn Core's decimal coins into its minor unit, exactly. Raises: ChainError."""
    scaled = Decimal(amount) * _COIN
    if scaled != scaled.to_integral_value():
        raise ChainError(f"amount {amount} has more than 8 places")
    return int(scaled)


@distrust_answers
class CoreChain:
    """A Core node of `code`. Not shared between threads."""

    has_nonces = False
    sees_internal = True
    chain_id = 0

    def __init__(self, code: str, url: str) -> None:
        self.code = code
        self._url = url
        self.rpc = RPCClient(url, version="1.0")

    def _ask(self, method: str, *params: Any) -> Any:
        try:
            return self.rpc.call(method, *params)
        except RPCError as error:
            raise ChainError(f"{method}: {error}") from error

    def identity(self) -> str:
        """Return the genesis block's hash; asked at every scan, because the address may lead to another node."""
        return str(self._ask("getblockhash", 0))

    def tip(self) -> Tip:
        info, network = self._ask("getblockchaininfo"), self._ask("getnetworkinfo")
        header = self._ask("getblockheader", info["bestblockhash"])
        # A regtest node says so of itself for ever once its tip is a day old; nobody else is there to catch up with.
        syncing = bool(info["initialblockdownload"]) and info["chain"] != "regtest"
        return Tip(
            height=int(info["blocks"]),
            hash=info["bestblockhash"],
            at=_time(header["time"]),
            # A header may stay without its block: whoever announces one must not stop us, so a few are no catching up.
            syncing=syncing or int(info["headers"]) - int(info["blocks"]) > _HEADERS_AHEAD,
            peers=int(network["connections"]),
        )

    def block_hash(self, height: int) -> str | None:
        try:
            return str(self.rpc.call("getblockhash", height))
        except RPCError as error:
            if error.code == _BAD_PARAMETER:
                return None
            raise ChainError(str(error)) from error

    def read_block(self, block_hash: str) -> Block:
        """Read a block in one question; one whose answer would be too large, transaction by transaction."""
        try:
            block = self._get_block(block_hash, 2)
            listed: Iterable[tuple[str, Any]] = ((str(tx.get("txid")), tx) for tx in block["tx"])
        except TooLarge:
            block = self._get_block(block_hash, 1)
            listed = self._read_one_by_one(block["tx"], block_hash)
        last = len(block["tx"]) - 1
        txs: list[Tx] = []
        unread: list[tuple[str, str]] = []
        for place, (txid, tx) in enumerate(listed):
            try:
                txs.append(_read_tx(tx, hogex=place == last and place > 0 and _is_hogex(tx)))
            except (*NONSENSE, ChainError) as error:
                unread.append((txid, repr(error)))
        parent = block.get("previousblockhash", "")
        return Block(
            int(block["height"]), block["hash"], parent, _time(block["time"]), tuple(txs), unread=tuple(unread)
        )

    def _read_one_by_one(self, txids: list[str], block_hash: str) -> Iterator[tuple[str, Any]]:
        for txid in txids:
            try:
                yield txid, self._ask("getrawtransaction", txid, True, block_hash)
            except TooLarge as error:
                yield txid, error  # it reads as nonsense, and is named as that

    def _get_block(self, block_hash: str, verbosity: int) -> Any:
        try:
            return self.rpc.call("getblock", block_hash, verbosity)
        except RPCError as error:
            if error.code != _MISCELLANEOUS:
                raise ChainError(f"getblock: {error}") from error
            # Pruned, or its data has not come yet although its header has.
            raise ChainError(
                f"block_missing: the node knows block {block_hash} and does not have it: {error}"
            ) from error

    def list_mempool(self) -> list[str]:
        return [str(txid) for txid in self._ask("getrawmempool")]

    def read_mempool_tx(self, txid: str) -> Tx | None:
        try:
            tx, entry = self.rpc.batch([("getrawtransaction", [txid, True]), ("getmempoolentry", [txid])])
        except RPCError as error:
            if error.code == _NOT_FOUND:
                return None
            raise ChainError(str(error)) from error
        return replace(_read_tx(tx), pegouts=_read_pegouts(tx), rate_minor=_offered_rate(entry))

    def find_tx(self, txid: str, *, raw: str = "") -> TxStatus:
        try:
            found = self.rpc.call("getrawtransaction", txid, True)
        except RPCError as error:
            if error.code != _NOT_FOUND:
                raise ChainError(str(error)) from error
            return self._lost(raw)
        if not found.get("blockhash"):
            return TxStatus("mempool")
        if int(found.get("confirmations", 0)) < 1:
            return self._lost(raw)  # in a block that is no longer part of the chain, and not in the mempool
        header = self._ask("getblockheader", found["blockhash"])
        return TxStatus("mined", int(header["height"]), found["blockhash"])

    def _lost(self, raw: str) -> TxStatus:
        """Tell "never heard of it" from "its input is gone", in blocks or in the mempool."""
        if not raw:
            return TxStatus("unknown")
        spends = [(spent.txid.hex(), spent.vout) for spent in Transaction.parse(bytes.fromhex(raw)).vin]
        unspent = self._batch([("gettxout", [txid, vout, True]) for txid, vout in spends])
        return TxStatus("unknown" if all(unspent) else "conflicted")

    def broadcast(self, raw: str) -> Sent | Refused | Unknown:
        try:
            txid = Transaction.parse(bytes.fromhex(raw)).txid().hex()
        except Exception as error:  # noqa: BLE001 -- embit raises many kinds; whatever it is, these are no transaction
            return Refused("not_a_transaction", str(error))
        try:
            said = self.rpc.call("sendrawtransaction", raw, _ANY_FEE_RATE)
        except RPCError as error:
            return self._explain(txid, error)
        except ChainError as error:
            return Unknown(str(error))
        return Sent(txid) if said == txid else Unknown(f"the node answered another id: {said}")

    def _explain(self, txid: str, error: RPCError) -> Sent | Refused | Unknown:
        """Look the transaction up: a mined one whose outputs are spent again is refused as if its inputs were missing."""
        try:
            state = self.find_tx(txid).state
        except ChainError as trouble:
            return Unknown(str(trouble))
        return Sent(txid) if state in ("mined", "mempool") else Refused(str(error.code), error.message)

    def fee_quote(self) -> FeeQuote:
        """Hold three estimates and the mempool's own minimum together, within bounds; six blocks never cost more than two."""
        steady, urgent, soon, info = self._batch(
            [
                ("estimatesmartfee", [6, "CONSERVATIVE"]),
                ("estimatesmartfee", [2, "CONSERVATIVE"]),
                ("estimatesmartfee", [2, "ECONOMICAL"]),
                ("getmempoolinfo", []),
            ]
        )
        bounds = FEE_BOUNDS[self.code]
        notes: list[str] = []
        relayed = max(minor(info["mempoolminfee"]), minor(info["minrelaytxfee"]))

        def within(name: str, per_kb: int) -> int:
            return clamp(name, -(-max(per_kb, relayed) // 1000), bounds.least, bounds.most, notes)

        # Rounded down, as a payment's own rate is: who pays exactly what the node advises pays enough.
        sight = max(_rate(soon), relayed) // 1000
        fast = within("the advice for two blocks", max(_rate(urgent), _rate(soon)))
        return FeeQuote(
            per_unit_minor=min(within("the advice for six blocks", _rate(steady)), fast),
            fast_minor=fast,
            floor_minor=within("the relay fee", relayed),
            sight_minor=min(sight, bounds.most),
            clamped="; ".join(notes),
        )

    def estimate_gas(self, address: str) -> int:
        return 0

    def is_payable(self, address: str) -> bool:
        return bool(self._ask("validateaddress", address)["isvalid"])

    def list_unspent(self, addresses: list[str]) -> list[Unspent]:
        if not addresses:
            return []
        found = self._walk("scantxoutset", "start", [f"addr({address})" for address in addresses])
        by_script = self._scripts(addresses)
        return [
            Unspent(u["txid"], int(u["vout"]), by_script[u["scriptPubKey"]], minor(u["amount"]), int(u["height"]))
            for u in found["unspents"]
        ]

    def _walk(self, method: str, *params: Any) -> Any:
        """Ask what takes the node minutes on a main network, over a connection that waits as long."""
        try:
            return RPCClient(self._url, version="1.0", read_s=_WALK_S).call(method, *params)
        except RPCError as error:
            raise ChainError(f"{method}: {error}") from error

    def _scripts(self, addresses: list[str]) -> dict[str, str]:
        scripts: dict[str, str] = {}
        for start in range(0, len(addresses), _BATCH):
            part = addresses[start : start + _BATCH]
            answers = self._batch([("validateaddress", [address]) for address in part])
            scripts |= {answer["scriptPubKey"]: address for answer, address in zip(answers, part, strict=True)}
        return scripts

    def _batch(self, questions: list[tuple[str, list[Any]]]) -> list[Any]:
        try:
            return self.rpc.batch(questions)
        except RPCError as error:
            raise ChainError(str(error)) from error

    def balance(self, addresses: list[str]) -> dict[str, int]:
        held = dict.fromkeys(addresses, 0)
        for unspent in self.list_unspent(addresses):
            held[unspent.address] += unspent.minor
        return held

    def value_of(self, outputs: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
        held: dict[tuple[str, int], int] = {}
        for start in range(0, len(outputs), _BATCH):
            part = outputs[start : start + _BATCH]
            answers = self._batch([("gettxout", [txid, vout, False]) for txid, vout in part])
            held |= {output: minor(found["value"]) for output, found in zip(part, answers, strict=True) if found}
        return held

    def next_nonce(self, address: str) -> int:
        return 0


def _rate(estimate: dict[str, Any]) -> int:
    """Return an estimate in minor units per 1,000 virtual bytes; 0 where the node has none."""
    return minor(estimate.get("feerate") or 0)


def _offered_rate(entry: dict[str, Any]) -> int:
    """Return what a transaction offers per virtual byte: its own rate, or its unmined ancestors' when they pay less.

    As Litecoin Core ranks it: what MWEB's weight costs is no part of the offer. The size of a peg-out is that of its
    outputs in the block's carrier alone, a few bytes, so the whole fee over it would look many times too good.
    """
    fees = entry["fees"]
    own = _rate_beside_mweb(minor(fees["base"]), entry["vsize"], entry.get("mwebweight", 0))
    together = _rate_beside_mweb(minor(fees["ancestor"]), entry["ancestorsize"], entry.get("ancestormwebweight", 0))
    return min(own, together)


def _rate_beside_mweb(fee: int, size: Any, weight: Any) -> int:
    paid = fee - int(weight) * _MWEB_WEIGHT_FEE
    return max(paid, 0) // max(int(size), 1)  # a transaction that stays within MWEB has no size at all


def _time(seconds: Any) -> datetime:
    return datetime.fromtimestamp(int(seconds), tz=UTC)


def _is_hogex(tx: dict[str, Any]) -> bool:
    """Litecoin's last transaction of a block with MWEB: its first output is a witness-v8 or v9 program."""
    outputs = tx.get("vout") or []
    return bool(outputs) and outputs[0]["scriptPubKey"].get("hex", "")[:2] in ("58", "59")


def _read_tx(tx: dict[str, Any], *, hogex: bool = False) -> Tx:
    movements = [
        Movement(str(output["n"]), address, minor(output["value"]))
        for output in tx["vout"]
        if (address := _payee(output.get("scriptPubKey") or {}))
    ]
    inputs = tx.get("vin") or []
    spends = tuple((i["txid"], int(i["vout"])) for i in inputs if "txid" in i and "vout" in i)
    coinbase = any("coinbase" in i for i in inputs)
    return Tx(tx["txid"], tuple(movements), spends, raw=tx.get("hex"), coinbase=coinbase, hogex=hogex)


def _read_pegouts(tx: dict[str, Any]) -> tuple[Movement, ...]:
    """Return what an unmined transaction's MWEB kernels pay out; a position is the kernel's number and its peg-out's."""
    return tuple(
        Movement(f"{number}.{place}", address, minor(pegout["value"]))
        for number, kernel in enumerate(tx.get("vkern") or ())
        for place, pegout in enumerate(kernel.get("pegout") or ())
        if (address := _payee(pegout["scriptPubKey"]))
    )


def _payee(script: dict[str, Any]) -> str:
    """Return the one address that a script pays; nothing where several keys share it, or none is told."""
    listed = script.get("addresses") or [script.get("address")]
    return str(script.get("address") or listed[0] or "") if len(listed) == 1 else ""
