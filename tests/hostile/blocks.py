"""Blocks as somebody makes them who wants a scan to stop: from a seed, with ordinary deposits among what is odd."""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from wallets.chains.protocol import Block, Movement, Tx, bound_position

LARGEST = 10**38 - 1  # what the column of an amount holds


@dataclass
class Maker:
    """Makes hostile transactions for a chain. `ours` are deposit addresses of orders; each may be paid anything."""

    code: str
    seed: int
    ours: list[str]
    outputs: int = 2500  # of the largest transactions
    honest: dict[str, int] = field(default_factory=dict)  # txid: what an ordinary customer paid

    def __post_init__(self) -> None:
        self.choose = random.Random(f"{self.code}:{self.seed}")
        self.made = 0

    def block(self, after: Block) -> Block:
        """Return a block on top of another with some oddities and an ordinary deposit after each."""
        txs: list[Tx] = []
        for _ in range(self.choose.randint(1, 3)):
            txs.append(self.choose.choice(ODDITIES)(self))
            txs.append(self.ordinary())
        prefix = "0x" if self.code == "ethereum" else ""
        block_hash = prefix + hashlib.sha256(f"{self.code}{self.seed}{after.hash}{self.made}".encode()).hexdigest()
        return replace(after, height=after.height + 1, hash=block_hash, parent_hash=after.hash, txs=tuple(txs))

    def txid(self) -> str:
        self.made += 1
        said = hashlib.sha256(f"{self.code}:{self.seed}:{self.made}".encode()).hexdigest()
        return "0x" + said if self.code == "ethereum" else said

    def ordinary(self) -> Tx:
        """A deposit like any other; it must be recorded whatever stands before it."""
        txid, minor = self.txid(), self.choose.randint(10**6, 10**8)
        self.honest[txid] = minor
        position = "native" if self.code == "ethereum" else "0"
        return Tx(txid, (Movement(position, self.choose.choice(self.ours), minor),), raw="00")

    def somebody(self) -> str:
        return self.choose.choice([*self.ours, "", "x" * 200, "nobody", "ltc1" + "q" * 90, "\ud800", "0x" + "0" * 40])


def deep_calls(maker: Maker) -> Tx:
    """Value that arrives through up to a thousand calls: the path is as long as its author likes."""
    path = "t" + "_".join(str(maker.choose.randint(0, 9)) for _ in range(maker.choose.randint(20, 1000)))
    return Tx(maker.txid(), (Movement(bound_position(path), maker.choose.choice(maker.ours), 10**6),))


def many_outputs(maker: Maker) -> Tx:
    """As many outputs as there may be to one of our addresses, or to everybody's, in bytes of that size."""
    target = maker.choose.choice(maker.ours)
    one = maker.choose.random() < 0.5
    count = maker.outputs if one else maker.choose.randint(maker.outputs // 20, maker.outputs)
    moves = tuple(Movement(str(n), target if one else maker.somebody(), 1 + n) for n in range(count))
    return Tx(maker.txid(), moves, raw="00" * 40 * count)


def odd_amounts(maker: Maker) -> Tx:
    """Nothing, one unit, and more than there is of any coin."""
    amounts = [0, 1, LARGEST, 2**63, 2**64 + 1]
    moves = tuple(
        Movement(str(n), maker.choose.choice(maker.ours), minor)
        for n, minor in enumerate(maker.choose.sample(amounts, 3))
    )
    return Tx(maker.txid(), moves)


def odd_scripts(maker: Maker) -> Tx:
    """Outputs whose scripts are no address, or name one that nobody could have."""
    return Tx(maker.txid(), tuple(Movement(str(n), maker.somebody(), 1000) for n in range(50)))


def failed(maker: Maker) -> Tx:
    """A transaction that pays us and fails: the chain took it back."""
    return Tx(maker.txid(), (Movement("t0", maker.choose.choice(maker.ours), 10**9),), ok=False)


def many_inputs(maker: Maker) -> Tx:
    """Spends thousands of outputs that nobody here knows."""
    spends = tuple((maker.txid(), n) for n in range(maker.choose.randint(500, 3000)))
    return Tx(maker.txid(), (), spends=spends)


ODDITIES: tuple[Callable[[Maker], Tx], ...] = (deep_calls, many_outputs, odd_amounts, odd_scripts, failed, many_inputs)
