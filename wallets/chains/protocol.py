"""The contract of every chain adapter, and the values that cross it. Amounts are integers in the chain's minor unit."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol


class ChainError(Exception):
    """The node is out of reach or answered nonsense: nothing is known, nothing may be concluded."""


class TooLarge(ChainError):
    """The answer is larger than we take in; the node itself is well, and a smaller question may be answered."""


class TargetRefuses(Exception):
    """The node is well, and what stands at an address takes no plain payment: nothing else may be concluded."""


class Nonsense(ChainError):
    """The node answered something of another shape than promised; what it was about cannot be taken in."""


LONGEST_POSITION = 40


def bound_position(position: str) -> str:
    """Return a position that fits its column: itself, or its beginning and a hash of all of it; pure, the same for ever.

    A trace path is as long as its author likes. 92 bits of SHA-256 keep two long ones of a transaction apart.
    """
    if len(position) <= LONGEST_POSITION:
        return position
    return f"{position[:16]}~{hashlib.sha256(position.encode(errors='surrogatepass')).hexdigest()[:23]}"


@dataclass(frozen=True, slots=True)
class Tip:
    """Where the node stands. `at` is the tip block's own time."""

    height: int
    hash: str
    at: datetime
    syncing: bool
    peers: int


@dataclass(frozen=True, slots=True)
class Movement:
    """Value that reaches an address. `position`: output number, "native" for top-level value, or a trace path, bounded."""

    position: str
    address: str
    minor: int


@dataclass(frozen=True, slots=True)
class Tx:
    """A transaction as far as we look at it. `spends`: outputs it consumes; `sender`, `nonce`: chains with accounts."""

    txid: str
    movements: tuple[Movement, ...]
    spends: tuple[tuple[str, int], ...] = ()
    sender: str | None = None
    nonce: int | None = None
    ok: bool = True  # false: mined, but failed
    fee_minor: int | None = None
    raw: str | None = None
    coinbase: bool = False
    hogex: bool = False  # Litecoin's peg-out carrier: its outputs mature after 6 blocks
    # While unmined: what it will pay out of Litecoin's MWEB. Mined, these are outputs of the block's carrier, of another id.
    pegouts: tuple[Movement, ...] = ()
    # While unmined: what it offers per virtual byte (with its unmined ancestors, if they offer less) or per gas at most.
    rate_minor: int | None = None
    priority_minor: int = 0  # chains with gas: the most it offers as a tip


MOST_TOKENS = 2**256 - 1  # a contract may say anything; a number of thousands of digits cannot even be spelled


@dataclass(frozen=True, slots=True)
class TokenMovement:
    """A token that reaches an address, as its contract tells. `position`: number in the receipt's own list of logs.

    `amount`: at most MOST_TOKENS.
    """

    txid: str
    position: int
    contract: str
    address: str
    amount: int


@dataclass(frozen=True, slots=True)
class Block:
    """A block with everything in it that moves value.

    What could not be had is said, and the rest is there: `sees_internal` is false where the node has no traces at all;
    `untraced` names transactions whose payments by contracts could not be read within bounds; `unread` transactions that
    make no sense, each with why.
    """

    height: int
    hash: str
    parent_hash: str
    at: datetime
    txs: tuple[Tx, ...]
    sees_internal: bool = True
    untraced: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    tokens: tuple[TokenMovement, ...] = ()


@dataclass(frozen=True, slots=True)
class TxStatus:
    """What the node knows of a transaction. "conflicted": another one has spent its input or nonce."""

    state: Literal["unknown", "mempool", "mined", "conflicted"]
    block_height: int | None = None
    block_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The node has the transaction: taken now, known before, or already mined."""

    txid: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The node said no. Nothing follows from it about other nodes: the payment stays as it is."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer, or one that says nothing: the node may have the transaction or not."""

    reason: str


@dataclass(frozen=True, slots=True)
class FeeQuote:
    """What the node advises, brought within the network's bounds (wallets.chains.fees); per virtual byte or per gas.

    `per_unit_minor` gets a payment mined within about six blocks, `fast_minor` within about two; below `floor_minor`
    nodes do not even pass it on. Chains with gas: `base_minor` is the next block's base fee, `priority_minor` the advised
    tip, `max_fee_minor` leaves room for six full blocks (2 x base + tip), `per_unit_minor` is base + tip.
    `sight_minor` and `sight_priority_minor`: the least with which an unmined payment's first sight counts, see `covers`.
    `clamped` says in words what was out of bounds, so that a payment built with this quote may not be mined; empty when
    nothing was.
    """

    per_unit_minor: int
    max_fee_minor: int = 0
    priority_minor: int = 0
    fast_minor: int = 0
    floor_minor: int = 0
    base_minor: int = 0
    sight_minor: int = 0
    sight_priority_minor: int = 0
    clamped: str = ""

    def covers(self, tx: Tx) -> bool:
        """Say whether an unmined transaction offers at least the bounded two-block advice; pure."""
        if tx.rate_minor is None or tx.rate_minor < self.sight_minor:
            return False
        return min(tx.priority_minor, tx.rate_minor - self.base_minor) >= self.sight_priority_minor


@dataclass(frozen=True, slots=True)
class Unspent:
    """An output at one of the addresses asked for, as of the tip."""

    txid: str
    vout: int
    address: str
    minor: int
    height: int


class Chain(Protocol):
    """A node of one chain. Every method may raise ChainError, but `broadcast`, which answers Unknown instead."""

    code: str
    has_nonces: bool  # accounts with nonces (True) or outputs (False)
    sees_internal: bool  # False once a block was read of which the node does not say what contracts paid

    @property
    def chain_id(self) -> int:
        """The number of EIP-155; 0 where there is none."""

    def identity(self) -> str:
        """Name the network for ever: the genesis hash, with the chain id where there is one."""

    def tip(self) -> Tip: ...

    def block_hash(self, height: int) -> str | None:
        """Return the hash at a height of the best chain, None above the tip."""

    def read_block(self, block_hash: str) -> Block:
        """Read a block in a number of calls that does not depend on how many addresses anybody knows.

        Constant for ordinary blocks; one whose answers are larger than we take in is asked for transaction by transaction.
        """

    def list_mempool(self) -> list[str]: ...

    def read_mempool_tx(self, txid: str) -> Tx | None:
        """Read an unmined transaction and what it offers, in one request; None when it is gone or mined meanwhile."""

    def find_tx(self, txid: str, *, raw: str = "") -> TxStatus:
        """Say where a transaction is. Only who gives its bytes can learn "conflicted": nodes forget what lost."""

    def broadcast(self, raw: str) -> Sent | Refused | Unknown:
        """Send signed bytes; safe to repeat for ever. Known before, mined and mined long ago are all Sent.

        The node's own opinion of what a fee may be is switched off: fees are bounded where they are signed.
        """

    def fee_quote(self) -> FeeQuote:
        """Return the node's advice within our bounds, from several of its estimates; one request."""

    def estimate_gas(self, address: str) -> int:
        """Return the gas a plain payment to `address` needs (21,000 to a person, more to a contract); 0 without gas.

        Raises: TargetRefuses for a contract that takes none now.
        """

    def is_payable(self, address: str) -> bool:
        """Ask the node whether it takes this for an address."""

    def balance(self, addresses: list[str]) -> dict[str, int]:
        """Return what each address holds at the tip."""

    def list_unspent(self, addresses: list[str]) -> list[Unspent]:
        """Return the outputs at these addresses; empty on chains with accounts."""

    def value_of(self, outputs: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return the amount of each of these outputs that is unspent in blocks; empty on chains with accounts."""

    def next_nonce(self, address: str) -> int:
        """Return the next nonce by mined transactions alone; 0 where there are none."""
