"""What makes a transaction valid on the fake chains, for outputs (Bitcoin family) and for accounts (Ethereum).

Both read real signed bytes, so that what passes here has the shape that a node takes. Signatures of outputs are not
checked: a real node does that in the contract suite.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from embit.transaction import Transaction

from wallets.chains.params import NETWORKS
from wallets.chains.protocol import Block, Movement, Refused, Tx
from wallets.chains.signing import read_signed_evm
from wallets.chains.sizes import PLAIN_GAS

FAUCET_TXID = "fa" * 32  # outputs of this transaction exist without end, 1000 coins each


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transaction that asks to be mined. `claims`: what only one transaction may use; `bid`: what it offers for that."""

    tx: Tx
    raw: str
    claims: frozenset[Any]
    bid: int


class OutputRules:
    """Coins are outputs; the state is the set of unspent ones."""

    has_nonces = False

    def __init__(self, network: str) -> None:
        params = NETWORKS[(network, "regtest")]
        self._encoding = {
            "bech32": params.hrp,
            "p2pkh": bytes([params.p2pkh[0]]),
            "p2sh": bytes([params.p2sh[0]]),
        }
        self.forget()

    def forget(self) -> None:
        self.coins: dict[tuple[str, int], tuple[str, int, int]] = {}  # outpoint: address, minor, height

    def read(self, raw: str) -> Candidate:
        """Raises: whatever embit raises for bytes that are no transaction."""
        parsed = Transaction.parse(bytes.fromhex(raw))
        spends = tuple((spent.txid.hex(), spent.vout) for spent in parsed.vin)
        moves = tuple(
            Movement(str(place), str(output.script_pubkey.address(self._encoding)), output.value)
            for place, output in enumerate(parsed.vout)
        )
        tx = Tx(parsed.txid().hex(), moves, spends, raw=raw)
        return Candidate(tx, raw, frozenset(spends), self._bid(tx))

    def _bid(self, tx: Tx) -> int:
        """What a faucet payment leaves over is its fee, like everybody's; unknown inputs count as nothing."""
        return sum(self._value(spent, ()) or 0 for spent in tx.spends) - sum(m.minor for m in tx.movements)

    def _value(self, outpoint: tuple[str, int], pool: Sequence[Candidate]) -> int | None:
        if outpoint[0] == FAUCET_TXID:
            return 1000 * 10**8
        if outpoint in self.coins:
            return self.coins[outpoint][1]
        unmined = {c.tx.txid: c.tx for c in pool}.get(outpoint[0])
        if unmined is None or outpoint[1] >= len(unmined.movements):
            return None
        return unmined.movements[outpoint[1]].minor

    def refuse(self, candidate: Candidate, pool: Sequence[Candidate]) -> Refused | None:
        values = [self._value(spent, pool) for spent in candidate.tx.spends]
        if None in values:
            return Refused("-25", "bad-txns-inputs-missingorspent")
        if sum(value or 0 for value in values) < sum(m.minor for m in candidate.tx.movements):
            return Refused("-26", "bad-txns-in-belowout")
        return None

    def outbids(self, new: Candidate, old: Candidate) -> bool:
        return new.bid > old.bid

    def offer(self, candidate: Candidate) -> Tx:
        """Return the unmined transaction with its rate; signatures, which a real one has, count as nothing."""
        return replace(candidate.tx, rate_minor=max(candidate.bid, 0) * 2 // len(candidate.raw))

    def is_used(self, claim: tuple[str, int]) -> bool:
        return claim[0] != FAUCET_TXID and claim not in self.coins

    def mine(self, candidate: Candidate) -> Tx:
        return candidate.tx

    def apply(self, block: Block) -> None:
        for tx in block.txs:
            for spent in tx.spends:
                self.coins.pop(spent, None)
            for move in tx.movements:
                self.coins[(tx.txid, int(move.position))] = (move.address, move.minor, block.height)


class AccountRules:
    """Coins are balances of accounts; a sender's transactions are numbered."""

    has_nonces = True

    def __init__(self, chain_id: int) -> None:
        self.chain_id = chain_id
        self.failing: set[str] = set()  # transactions that will be mined and fail
        self.internal: dict[str, tuple[Movement, ...]] = {}  # what a contract pays on when its transaction is mined
        self.rich: set[str] = set()  # senders with money without end
        self.forget()

    def forget(self) -> None:
        self.balances: dict[str, int] = {}
        self.nonces: dict[str, int] = {}

    def read(self, raw: str) -> Candidate:
        """Raises: whatever eth_account raises for bytes that are no transaction."""
        from eth_utils.address import to_checksum_address  # noqa: PLC0415 -- slow to import
        from eth_utils.crypto import keccak  # noqa: PLC0415 -- likewise

        said = read_signed_evm(raw)
        moves = (Movement("native", str(to_checksum_address(said.to)), said.value),) if said.to and said.value else ()
        txid = "0x" + keccak(hexstr=raw).hex()
        fee = said.gas * said.max_fee
        tx = Tx(txid, moves, sender=said.sender, nonce=said.nonce, fee_minor=fee)
        return Candidate(tx, raw, frozenset({(said.sender, said.nonce)}), said.max_fee)

    def refuse(self, candidate: Candidate, pool: Sequence[Candidate]) -> Refused | None:
        tx = candidate.tx
        if (tx.nonce or 0) < self.nonces.get(str(tx.sender), 0):
            return Refused("-32003", "nonce too low")
        cost = sum(m.minor for m in tx.movements) + (tx.fee_minor or 0)
        if tx.sender not in self.rich and self.balances.get(str(tx.sender), 0) < cost:
            return Refused("-32003", "Insufficient funds for gas * price + value")
        return None

    def outbids(self, new: Candidate, old: Candidate) -> bool:
        return new.bid * 10 >= old.bid * 11

    def offer(self, candidate: Candidate) -> Tx:
        """Return the unmined transaction with its rate; the faucet offers all of it as a tip."""
        return replace(candidate.tx, rate_minor=candidate.bid, priority_minor=candidate.bid)

    def is_used(self, claim: tuple[str, int]) -> bool:
        return claim[1] < self.nonces.get(claim[0], 0)

    def mine(self, candidate: Candidate) -> Tx:
        tx = candidate.tx
        ok = tx.txid not in self.failing
        moves = tx.movements + self.internal.get(tx.txid, ()) if ok else ()
        return Tx(tx.txid, moves, sender=tx.sender, nonce=tx.nonce, ok=ok, fee_minor=PLAIN_GAS * candidate.bid)

    def apply(self, block: Block) -> None:
        for tx in block.txs:
            sender = str(tx.sender)
            self.nonces[sender] = (tx.nonce or 0) + 1
            paid = sum(m.minor for m in tx.movements if m.position == "native")
            self.balances[sender] = self.balances.get(sender, 0) - paid - (tx.fee_minor or 0)
            for move in tx.movements:
                self.balances[move.address] = self.balances.get(move.address, 0) + move.minor
