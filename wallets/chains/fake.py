"""A chain in memory that keeps the adapters' contract: for unit tests that need blocks, reorganisations and silence.

Blocks appear when `mine()` is called. A faucet stands for everybody else: `send()` pays from it. Faults are switched on
by attributes: `down`, `lose_answers`, `syncing`, `peers`, `lag`.
"""

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from embit.transaction import Transaction, TransactionInput, TransactionOutput

from core import clock
from wallets.chains.fake_rules import FAUCET_TXID, AccountRules, Candidate, OutputRules
from wallets.chains.protocol import (
    Block,
    ChainError,
    FeeQuote,
    Movement,
    Refused,
    Sent,
    TargetRefuses,
    Tip,
    Tx,
    TxStatus,
    Unknown,
    Unspent,
    bound_position,
)
from wallets.chains.signing import BadTransaction, build_and_sign_evm, script_of
from wallets.chains.sizes import PLAIN_GAS

FAUCET_KEY = b"\x07" * 32
CHAIN_ID = 31337
GWEI = 10**9
COIN_QUOTE = FeeQuote(10, fast_minor=12, floor_minor=1, sight_minor=12)
GAS_QUOTE = FeeQuote(
    per_unit_minor=2 * GWEI,
    max_fee_minor=3 * GWEI,
    priority_minor=GWEI,
    fast_minor=2 * GWEI + GWEI // 8,
    floor_minor=GWEI,
    base_minor=GWEI,
    sight_minor=2 * GWEI,
    sight_priority_minor=GWEI,
)


class FakeChain:
    """The fake of `code`: Ethereum's rules for "ethereum", the Bitcoin family's for any other chain."""

    def __init__(self, code: str, *, now: Callable[[], datetime] = clock.now) -> None:
        self.code, self._now = code, now
        self.rules: OutputRules | AccountRules = AccountRules(CHAIN_ID) if code == "ethereum" else OutputRules(code)
        self.has_nonces = self.rules.has_nonces
        self.chain_id = CHAIN_ID if self.has_nonces else 0
        self._salt = itertools.count(1)
        self._faucet = itertools.count()
        self._sent: dict[str, tuple[int, int]] = {}  # faucet payments: their input or nonce, their bid
        self.blocks: list[Block] = []
        self.pool: dict[str, Candidate] = {}
        self.seen: dict[str, Candidate] = {}  # every transaction ever taken, to mine it again
        self.pegouts: dict[str, Tx] = {}  # unmined payments out of MWEB
        self.carriers: dict[str, dict[str, Tx]] = {}  # which of them each carrier brought
        self.contracts: dict[str, int] = {}  # the gas that each takes for a payment; 0: it takes none
        self.fees = GAS_QUOTE if self.has_nonces else COIN_QUOTE
        self.down, self.syncing, self.peers, self.lag = False, False, 8, 0
        self.lose_answers = 0  # so many broadcasts are taken, but their answers never arrive
        self.calls = 0
        self.sees_internal = True
        self.untraceable: set[str] = set()  # transactions of which the node does not tell what contracts paid in them
        if isinstance(self.rules, AccountRules):
            from eth_account import Account  # noqa: PLC0415 -- slow to import

            self.rules.rich.add(str(Account.from_key(FAUCET_KEY).address))
        self._append(())

    # --- what a test does to the chain -------------------------------------------------------------------------------

    def mine(self, blocks: int = 1) -> None:
        """Mine everything in the pool into one block, and empty ones after it. Coinbases pay nobody of ours."""
        for _ in range(blocks):
            self._append(tuple(self.pool.values()))

    def send(self, address: str, minor: int, *, rate: int | None = None) -> str:
        """Pay from the faucet and return the transaction's id; it waits in the pool. `rate`: else twice the advice."""
        return self._pay(address, minor, next(self._faucet), 2 * self.fees.sight_minor if rate is None else rate)

    def replace(self, txid: str, address: str, minor: int) -> str:
        """Let the faucet outbid its own unmined payment with another one; return the new id."""
        claim, rate = self._sent[txid]
        return self._pay(address, minor, claim, rate * 2)

    def peg_out(self, address: str, minor: int, *, rate: int | None = None) -> str:
        """Pay `address` out of MWEB: it waits in the pool, and is mined as an output of the block's carrier."""
        if self.has_nonces:
            raise TypeError(f"{self.code} has no MWEB")
        txid = hashlib.sha256(f"kernel:{next(self._salt)}".encode()).hexdigest()
        rate = 2 * self.fees.sight_minor if rate is None else rate
        self.pegouts[txid] = Tx(txid, (), pegouts=(Movement("0.0", address, minor),), rate_minor=rate)
        return txid

    def send_internal(self, address: str, minor: int, *, path: str = "0", times: int = 1) -> str:
        """Let a contract pay `address` inside somebody's transaction, so many calls: accounts alone."""
        if not isinstance(self.rules, AccountRules):
            raise TypeError(f"{self.code} has no contracts")
        txid = self.send("0x" + "11" * 20, minor)
        paths = [path] if times == 1 else [f"{path}.{number}" for number in range(times)]
        self.rules.internal[txid] = tuple(Movement(bound_position(f"t{way}"), address, minor) for way in paths)
        return txid

    def fail(self, txid: str) -> None:
        """Let a payment in the pool be mined and fail: accounts alone."""
        if not isinstance(self.rules, AccountRules):
            raise TypeError(f"{self.code} mines no failures")
        self.rules.failing.add(txid)

    def drop(self, txid: str) -> None:
        """Forget an unmined transaction, as nodes do with cheap ones."""
        del (self.pegouts if txid in self.pegouts else self.pool)[txid]

    def reorganise(self, depth: int, *, keep: bool = True) -> None:
        """Replace the last `depth` blocks by `depth` + 1 others. Without `keep` their transactions stay unmined."""
        gone = [tx.txid for block in self.blocks[-depth:] for tx in block.txs]
        self.blocks = self.blocks[:-depth]
        self.rules.forget()
        for block in self.blocks:
            self.rules.apply(block)
        self.pool = {txid: self.seen[txid] for txid in gone if txid in self.seen} | self.pool
        for txid in gone:
            self.pegouts |= self.carriers.get(txid, {})
        for _ in range(depth + 1):
            self._append(tuple(self.pool.values()) if keep else (), pegouts=keep)

    def _carry(self) -> tuple[Tx, ...]:
        """Mine what waits to leave MWEB: outputs of one transaction, of which the first is MWEB's own."""
        if not self.pegouts:
            return ()
        # Of what it carries, as Core's: mined again in another block, it is the same.
        txid = hashlib.sha256(f"carrier:{sorted(self.pegouts)}".encode()).hexdigest()
        paid = [pegout for tx in self.pegouts.values() for pegout in tx.pegouts]
        self.carriers[txid], self.pegouts = self.pegouts, {}
        return (Tx(txid, tuple(replace(m, position=str(place)) for place, m in enumerate(paid, start=1)), hogex=True),)

    def _append(self, candidates: tuple[Candidate, ...], *, pegouts: bool = True) -> None:
        height = len(self.blocks)
        parent = self.blocks[-1].hash if self.blocks else ""
        block_hash = hashlib.sha256(f"{self.code}:{height}:{parent}:{next(self._salt)}".encode()).hexdigest()
        block_hash = "0x" + block_hash if self.has_nonces else block_hash
        txs = (*(self.rules.mine(c) for c in candidates), *(self._carry() if pegouts else ()))
        block = Block(height, block_hash, parent, self._now(), txs)
        self.blocks.append(block)
        self.rules.apply(block)
        self.pool = {k: c for k, c in self.pool.items() if c not in candidates}

    def _pay(self, address: str, minor: int, claim: int, rate: int) -> str:
        if self.has_nonces:
            raw, _ = build_and_sign_evm(CHAIN_ID, claim, address, minor, 21_000, rate, rate, FAUCET_KEY)
        else:
            vin = [TransactionInput(bytes.fromhex(FAUCET_TXID), claim, sequence=0xFFFFFFFD)]
            paid = TransactionOutput(minor, script_of(address))
            size = len(Transaction(vin=vin, vout=[paid, TransactionOutput(0, _nobody())]).serialize())
            rest = 1000 * 10**8 - minor - rate * size
            raw = Transaction(vin=vin, vout=[paid, TransactionOutput(rest, _nobody())]).serialize().hex()
        answer = self._take(raw)
        if not isinstance(answer, Sent):
            raise TypeError(f"the faucet's payment was refused: {answer}")
        self._sent[answer.txid] = (claim, rate)
        return answer.txid

    # --- the contract ------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        self.calls += 1
        if self.down:
            raise ChainError("the node is down")

    def identity(self) -> str:
        self._listen()
        return f"{self.chain_id}:{self.blocks[0].hash}" if self.has_nonces else self.blocks[0].hash

    def tip(self) -> Tip:
        self._listen()
        block = self.blocks[-1 - self.lag]
        return Tip(block.height, block.hash, block.at, self.syncing, self.peers)

    def block_hash(self, height: int) -> str | None:
        self._listen()
        return self.blocks[height].hash if 0 <= height < len(self.blocks) - self.lag else None

    def read_block(self, block_hash: str) -> Block:
        self._listen()
        for block in self.blocks:
            if block.hash == block_hash:
                return self._as_told(block)
        raise ChainError(f"block {block_hash} is gone")

    def _as_told(self, block: Block) -> Block:
        """Leave out what contracts paid where the node does not tell."""
        hidden = {tx.txid for tx in block.txs} if not self.sees_internal else self.untraceable
        txs = tuple(
            replace(tx, movements=tuple(m for m in tx.movements if not m.position.startswith("t")))
            if tx.txid in hidden
            else tx
            for tx in block.txs
        )
        untraced = tuple(tx.txid for tx in txs if tx.txid in self.untraceable) if self.sees_internal else ()
        return replace(block, txs=txs, sees_internal=self.sees_internal, untraced=untraced)

    def list_mempool(self) -> list[str]:
        self._listen()
        return [*self.pool, *self.pegouts]

    def read_mempool_tx(self, txid: str) -> Tx | None:
        self._listen()
        return self.rules.offer(self.pool[txid]) if txid in self.pool else self.pegouts.get(txid)

    def find_tx(self, txid: str, *, raw: str = "") -> TxStatus:
        self._listen()
        if txid in self.pool or txid in self.pegouts:
            return TxStatus("mempool")
        for block in self.blocks:
            if any(tx.txid == txid for tx in block.txs):
                return TxStatus("mined", block.height, block.hash)
        claims = self.rules.read(raw).claims if raw else frozenset()
        taken = {claim for c in self.pool.values() for claim in c.claims} if not self.has_nonces else set()
        lost = any(claim in taken or self.rules.is_used(claim) for claim in claims)
        return TxStatus("conflicted" if lost else "unknown")

    def broadcast(self, raw: str) -> Sent | Refused | Unknown:
        try:
            self._listen()
        except ChainError as error:
            return Unknown(str(error))
        answer = self._take(raw)
        if self.lose_answers and isinstance(answer, Sent):
            self.lose_answers -= 1
            return Unknown("the answer did not arrive in time")
        return answer

    def _take(self, raw: str) -> Sent | Refused:
        try:
            new = self.rules.read(raw)
        except Exception as error:  # noqa: BLE001 -- the parsers raise many kinds; whatever it is, it is no transaction
            return Refused("-22", f"TX decode failed: {error!r}")
        mined = any(tx.txid == new.tx.txid for block in self.blocks for tx in block.txs)
        if new.tx.txid in self.pool or mined:
            return Sent(new.tx.txid)
        rivals = [old for old in self.pool.values() if old.claims & new.claims]
        others = [old for old in self.pool.values() if old not in rivals]
        refusal = self.rules.refuse(new, others)
        if refusal:
            return refusal
        if not all(self.rules.outbids(new, old) for old in rivals):
            return Refused("-26", "insufficient fee, rejecting replacement")
        self.pool = {old.tx.txid: old for old in others} | {new.tx.txid: new}
        self.seen[new.tx.txid] = new
        return Sent(new.tx.txid)

    def fee_quote(self) -> FeeQuote:
        self._listen()
        return self.fees

    def estimate_gas(self, address: str) -> int:
        self._listen()
        if not self.has_nonces:
            return 0
        gas = self.contracts.get(address, PLAIN_GAS)
        if not gas:
            raise TargetRefuses(f"the contract at {address} takes no payment: execution reverted")
        return gas

    def is_payable(self, address: str) -> bool:
        self._listen()
        if self.has_nonces:
            return _is_checksummed(address)
        try:
            script_of(address)
        except BadTransaction:
            return False
        return True

    def balance(self, addresses: list[str]) -> dict[str, int]:
        self._listen()
        if isinstance(self.rules, AccountRules):
            return {address: self.rules.balances.get(address, 0) for address in addresses}
        held = dict.fromkeys(addresses, 0)
        for address, minor, _height in self.rules.coins.values():
            if address in held:
                held[address] += minor
        return held

    def list_unspent(self, addresses: list[str]) -> list[Unspent]:
        self._listen()
        if isinstance(self.rules, AccountRules):
            return []
        coins = self.rules.coins.items()
        return [Unspent(txid, vout, *coin) for (txid, vout), coin in coins if coin[0] in addresses]

    def value_of(self, outputs: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
        self._listen()
        if isinstance(self.rules, AccountRules):
            return {}
        return {output: self.rules.coins[output][1] for output in outputs if output in self.rules.coins}

    def next_nonce(self, address: str) -> int:
        self._listen()
        return self.rules.nonces.get(address, 0) if isinstance(self.rules, AccountRules) else 0


def _nobody() -> Any:
    from embit.script import Script  # noqa: PLC0415 -- for this one line

    return Script(b"\x00\x14" + b"\x00" * 20)


def _is_checksummed(address: str) -> bool:
    from eth_utils.address import is_checksum_address  # noqa: PLC0415 -- slow to import

    return bool(is_checksum_address(address))
