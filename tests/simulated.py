"""The chains of wallets.chains.fake with what tests do to a node of tests.nodes: an exchange without processes or waiting."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from embit.transaction import Transaction
from eth_utils.address import to_checksum_address

from orders.models import Order
from tests.exchange import Exchange
from wallets.addresses import house_address
from wallets.chains.derivation import derive_address
from wallets.chains.fake import FakeChain
from wallets.chains.fake_rules import AccountRules, Candidate
from wallets.chains.protocol import Refused, Sent
from wallets.chains.signing import _virtual_size
from wallets.models import Deposit, Payout

# The public account key of nobody here: the customers' Litecoin addresses are derived from it.
CUSTOMERS = (
    "tpubD6NzVbkrYhZ4XgiXtGrdW5XDAPFCL9h7we1vwNCpn8tGbBcgfVYjXyhWo4E1xkh56hjod1RhGjxbaTLV3X4FyWuejifB9jusQ46QzG87VKp"
)


class SimulatedNode(FakeChain):
    """A simulated chain that can do what the suite's real nodes can. `now` gives its blocks their times."""

    def __init__(self, code: str, *, now: Callable[[], datetime]) -> None:
        super().__init__(code, now=now)
        self._customers = itertools.count(1)
        self.dear = 0  # the least rate per virtual byte or gas that blocks take, and Bitcoin's kin keep in a mempool

    def charge(self, rate: int, *, tip: int = 10**9) -> None:
        """Let the chain get dearer or cheaper: blocks take `rate` and more, the node advises it, cheap coins are evicted."""
        self.dear = rate
        if self.has_nonces:
            self.fees = replace(
                self.fees,
                per_unit_minor=rate + tip,
                max_fee_minor=2 * rate + tip,
                priority_minor=tip,
                base_minor=rate,
                floor_minor=rate,
            )
            return
        self.fees = replace(self.fees, per_unit_minor=rate, fast_minor=rate, floor_minor=rate)
        for txid in [txid for txid, held in self.pool.items() if not self._taken([held])]:
            self.pool.pop(txid, None)

    def forget_mempool(self) -> None:
        """Lose every unmined transaction, as a node does that is killed."""
        self.pool.clear()

    def mine(self, blocks: int = 1) -> None:
        """Mine what offers enough, with its unmined ancestors; on chains with accounts in the order of nonces."""
        for _ in range(blocks):
            self._append(tuple(self._worth_mining()))

    def _worth_mining(self) -> list[Candidate]:
        if isinstance(self.rules, AccountRules):
            chosen, nonces = [], dict(self.rules.nonces)
            for held in sorted(self.pool.values(), key=lambda c: c.tx.nonce or 0):
                sender = str(held.tx.sender)
                if held.bid >= self.dear and held.tx.nonce == nonces.get(sender, 0):
                    nonces[sender] = held.tx.nonce + 1
                    chosen.append(held)
            return chosen
        chosen = []
        for held in self.pool.values():
            package = self._with_ancestors(held)
            if self._taken(package):
                chosen += [part for part in package if part not in chosen]
        return chosen

    def _with_ancestors(self, held: Candidate) -> list[Candidate]:
        found: list[Candidate] = []
        for txid, _vout in held.tx.spends:
            if txid in self.pool:
                found += [part for part in self._with_ancestors(self.pool[txid]) if part not in found]
        return [*found, held]

    def _taken(self, package: Sequence[Candidate]) -> bool:
        sizes = [_virtual_size(Transaction.parse(bytes.fromhex(c.raw)), bytes.fromhex(c.raw)) for c in package]
        return sum(map(self._offered, package)) >= self.dear * sum(sizes)

    def _offered(self, held: Candidate) -> int:
        values = [self.rules._value(spent, list(self.pool.values())) or 0 for spent in held.tx.spends]
        return sum(values) - sum(move.minor for move in held.tx.movements)

    def _take(self, raw: str) -> Sent | Refused:
        if self.has_nonces:
            return super()._take(raw)
        try:
            new = self.rules.read(raw)
        except Exception:  # noqa: BLE001 -- the parser raises many kinds; the simulated chain says what is wrong
            return super()._take(raw)
        mined = [tx for block in self.blocks for tx in block.txs]
        if new.tx.txid not in self.pool and all(tx.txid != new.tx.txid for tx in mined):
            if new.claims & {outpoint for tx in mined for outpoint in tx.spends}:  # the faucet's own coins, too
                return Refused("-25", "bad-txns-inputs-missingorspent")
            if not self._taken([new]):
                return Refused("-26", "mempool min fee not met")
        return super()._take(raw)

    def new_address(self) -> str:
        """Return an address of nobody's that no test was given before on this chain."""
        index = next(self._customers)
        if self.has_nonces:
            return str(to_checksum_address(f"0x{index:040x}".replace("0x0000", "0xfeed")))
        return derive_address(self.code, "regtest", CUSTOMERS, 0, index)

    def received(self, address: str) -> int:
        """Return what an address received in blocks, in minor units."""
        return self.balance([address])[address]


class SimulatedExchange(Exchange):
    """Time stands still between the steps of a test: `later()` moves it. Blocks are dated by it."""

    def __init__(self, start: datetime) -> None:
        self.started_at = start
        super().__init__(SimulatedNode("litecoin", now=self.now), SimulatedNode("ethereum", now=self.now))

    def now(self) -> datetime:
        # The chains ask while the dataclass is still being made.
        return self.started_at + getattr(self, "offset", timedelta(0))

    def client_of(self, chain: str) -> SimulatedNode:
        node: SimulatedNode = self.node_of(chain)
        return node

    def fund(self, chain: str, minor: int, times: int = 1) -> None:
        """Put coins into the house wallet and confirm them; a few blocks are enough here."""
        address = house_address(chain=chain, at=self.now()).address
        for _ in range(times):
            self.node_of(chain).send(address, minor)
        self.node_of(chain).mine(3)
        self.scan(chain)

    def settle(self, rounds: int = 6) -> None:
        """Mine and tick until nothing changes any more, at most so often."""
        before: list[object] = []
        for _ in range(rounds):
            super().settle(1)
            now = [
                list(Order.objects.order_by("pk").values_list("pk", "transition_count")),
                list(Payout.objects.order_by("pk").values_list("pk", "state", "block_height")),
                list(Deposit.objects.order_by("pk").values_list("pk", "state", "disposition")),
            ]
            if now == before:
                return
            before = list(now)

    def later(self, **span: float) -> None:
        """Let time pass, in words of `timedelta`, and mine a block on each chain, as nobody trusts an old tip."""
        self.offset += timedelta(**span)
        self.mine(1)
