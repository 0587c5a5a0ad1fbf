"""Match what a block or the mempool holds to our own index of addresses, and write the deposits among it.

Whatever strangers put there, every row that can be stored is stored, and memory does not grow with what is not ours.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

from django.db import transaction

from core.models import Asset
from wallets import states
from wallets.chains.protocol import MOST_TOKENS, Block, FeeQuote, Movement, TokenMovement, Tx, bound_position
from wallets.models import Address, Attempt, Deposit, Quarantine, RawTx
from wallets.reading.pegouts import link_sights, list_vanished, retake_sights, store_sights, take_sights
from wallets.reading.quarantine import ROW_FAULTS, make_row, set_aside, set_rows_aside
from wallets.safety.house import BY_HAND, list_announced
from wallets.scan_state import native_asset

T = TypeVar("T")
LOOKED_UP, WRITTEN = 5000, 200  # addresses in one statement; rows in one statement
LONGEST_ADDRESS = 128
BY_CONTRACT = "t"  # how the positions of payments by contracts begin


@dataclass(frozen=True, slots=True)
class Mempool:
    """What a node's mempool was like when unmined transactions were read: what fees it took, and which ids it held."""

    fees: FeeQuote
    present: frozenset[str] | set[str]


@dataclass(frozen=True, slots=True)
class Sight:
    """When and where transactions were seen: in `block`, which counts as mined at `mined_at`, or in `mempool`."""

    chain: str
    at: datetime
    block: Block | None = None
    mined_at: datetime | None = None
    mempool: Mempool | None = None


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of at most `size`."""
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


def find_addresses(chain: str, targets: Iterable[str]) -> dict[str, Address]:
    """Return our addresses among `targets`, which may be anything a stranger made; one statement for 5,000 of them."""
    found: dict[str, Address] = {}
    for part in chunks({target for target in targets if _may_be_ours(target)}, LOOKED_UP):
        found |= {row.address: row for row in Address.objects.filter(chain=chain, address__in=part)}
    return found


def _may_be_ours(target: str) -> bool:
    return target.isascii() and target.isprintable() and len(target) <= LONGEST_ADDRESS


def wanted(chain: str, txs: Sequence[Tx]) -> dict[str, Address]:
    """Return our addresses that these transactions pay."""
    return find_addresses(chain, (movement.address for tx in txs for movement in (*tx.movements, *tx.pegouts)))


def match(txs: Sequence[Tx], sight: Sight, addresses: dict[str, Address]) -> None:
    """Write the deposits among these transactions: new ones, ones seen before, ones that came back; and peg-outs on the way.

    In the caller's transaction, under the chain's row lock. `addresses`: ours that they pay, from `wanted`.
    """
    if not addresses:
        return
    paying = [(tx, m) for tx in txs if tx.ok for m in tx.movements if m.address in addresses and m.minor > 0]
    for part in chunks(paying, LOOKED_UP):
        _match_part(part, sight, addresses)
    if sight.mempool:
        _note_pegouts(txs, sight, sight.mempool, addresses)


def _note_pegouts(txs: Sequence[Tx], sight: Sight, mempool: Mempool, addresses: dict[str, Address]) -> None:
    coming = [(tx, m) for tx in txs for m in tx.pegouts if m.address in addresses and m.minor > 0]
    if not coming:
        return
    replaced = _replaced(sight.chain, {addresses[m.address].owner_ref for _, m in coming}, mempool)
    pegouts = [(tx, m, _counts(tx, addresses[m.address], mempool, replaced)) for tx, m in coming]
    store_sights(pegouts, addresses, chain=sight.chain, at=sight.at)


def _counts(tx: Tx, address: Address, mempool: Mempool, replaced: set[str]) -> bool:
    return mempool.fees.covers(tx) and address.owner_ref not in replaced


def _match_part(paying: list[tuple[Tx, Movement]], sight: Sight, addresses: dict[str, Address]) -> None:
    chain = sight.chain
    txids = {tx.txid for tx, _ in paying}
    own = set(Attempt.objects.filter(chain=chain, txid__in=txids).values_list("txid", flat=True))
    own |= list_announced(chain=chain, txids=txids)
    known = {(row.txid, row.position): row for row in Deposit.objects.filter(chain=chain, txid__in=txids).defer("raw")}
    owners = {addresses[movement.address].owner_ref for _, movement in paying}
    replaced = _replaced(chain, owners, sight.mempool) if sight.mempool else set()
    asset = native_asset(chain)
    fresh: list[Deposit] = []
    met: list[Deposit] = []
    raws: dict[str, str] = {}
    carried: list[Deposit] = []
    for tx, movement in paying:
        address = addresses[movement.address]
        if tx.txid in own and not (address.owner_ref and movement.position.startswith(BY_CONTRACT)):
            continue  # our change, or a payment between our own addresses: not a deposit
        row, position = _find_row(known, tx.txid, movement, address)
        if row is None:
            known[tx.txid, position] = deposit = _new_deposit(tx, movement, address, asset, sight, replaced)
            deposit.position = position
            fresh.append(deposit)
            if tx.hogex:
                carried.append(deposit)
            if tx.raw:
                raws[tx.txid] = tx.raw
        elif row.state == states.REMOVED or (sight.block is not None and row.block_height is None):
            met.append(row)
    taken = take_sights(chain, carried) + retake_sights(chain, met)
    _store(chain, fresh, sight.at)
    link_sights(taken)
    for txid, raw in raws.items():  # one statement each: a single one may be as large as a block
        RawTx.objects.bulk_create([RawTx(chain=chain, txid=txid, raw=raw)], ignore_conflicts=True)
    _meet_again(met, sight)


def _find_row(
    known: dict[tuple[str, str], Deposit], txid: str, movement: Movement, address: Address
) -> tuple[Deposit | None, str]:
    """Return the row of this very payment, and the position that is its own.

    What a contract pays depends on the block that its transaction is in: after a reorganisation the same place of the
    same transaction may pay another amount, or another address of ours. That is another payment: the row of the first
    one stays as it was, without a block.
    """
    entered = known.get((txid, BY_HAND))
    if entered is not None and entered.address_id == address.pk and movement.position.startswith(BY_CONTRACT):
        return entered, BY_HAND  # a person made a deposit of it, since the node had not told of it
    position, other = movement.position, 0
    while (row := known.get((txid, position))) is not None:
        if (row.amount_minor, row.address_id) == (movement.minor, address.pk):
            break
        other += 1
        position = bound_position(f"{movement.position}#{other}")
    return row, position


def _new_deposit(
    tx: Tx, movement: Movement, address: Address, asset: Asset, sight: Sight, replaced: set[str]
) -> Deposit:
    mempool, block = sight.mempool, sight.block
    deposit = Deposit(
        chain=sight.chain,
        txid=tx.txid,
        position=movement.position,
        asset=asset,
        address=address,
        owner_ref=address.owner_ref,
        amount_minor=movement.minor,
        first_seen_at=sight.at,
        sight_counts=mempool is None or _counts(tx, address, mempool, replaced),
    )
    if block is not None:
        deposit.block_height, deposit.block_hash, deposit.mined_at = block.height, block.hash, sight.mined_at
        if tx.coinbase:
            deposit.mature_height = block.height + 100
        elif tx.hogex:
            deposit.mature_height = block.height + 6
    return deposit


def _store(chain: str, fresh: list[Deposit], at: datetime) -> None:
    """Store deposits in batches; where a batch fails, one by one, and what cannot be stored is set aside."""
    for part in chunks(fresh, WRITTEN):
        try:
            with transaction.atomic():
                Deposit.objects.bulk_create(part)
        except ROW_FAULTS:
            for deposit in part:
                _store_one(chain, deposit, at)


def _store_one(chain: str, deposit: Deposit, at: datetime) -> None:
    try:
        with transaction.atomic():
            deposit.pk = None
            deposit.save(force_insert=True)
    except ROW_FAULTS as error:
        set_aside(
            chain=chain,
            what=Quarantine.MOVEMENT,
            problem=f"{type(error).__name__}: {error}",
            at=at,
            txid=deposit.txid,
            position=deposit.position,
            owner_ref=deposit.owner_ref,
            block_height=deposit.block_height,
            facts=f"{deposit.amount_minor} minor units to {deposit.address.address}",
        )


def _replaced(chain: str, owners: set[str], mempool: Mempool) -> set[str]:
    """Return the orders that saw an earlier payment which vanished unmined: what comes after it may be in its place.

    Whether it was replaced or merely forgotten, not every node can say; so it is taken for replaced.
    """
    earlier = Deposit.objects.filter(chain=chain, owner_ref__in=owners - {""}, block_height=None)
    gone = earlier.filter(state__in=(states.SEEN, states.REMOVED)).exclude(txid__in=mempool.present)
    return set(gone.values_list("owner_ref", flat=True)) | list_vanished(chain, owners, mempool.present)


def _meet_again(rows: list[Deposit], sight: Sight) -> None:
    """Mine deposits that were only seen, and bring back those that had vanished; at most two statements."""
    vanished = [row.pk for row in rows if row.state == states.REMOVED]
    if vanished:
        states.DEPOSIT.check(states.REMOVED, states.SEEN)
        Deposit.objects.filter(pk__in=vanished).update(state=states.SEEN, news=True)
    if sight.block is not None and rows:
        block = sight.block
        placed = {"block_height": block.height, "block_hash": block.hash, "mined_at": sight.mined_at}
        Deposit.objects.filter(pk__in=[row.pk for row in rows]).update(**placed)


def set_aside_oddities(block: Block, *, chain: str, at: datetime) -> None:
    """Set aside what the adapter could not make sense of, and tokens for addresses of ours, of which nothing is credited."""
    for txid, why in block.unread:
        set_aside(chain=chain, what=Quarantine.TRANSACTION, problem=why, at=at, txid=txid, block_height=block.height)
    if block.tokens:
        set_rows_aside(_tokens_of_ours(block, chain=chain, at=at))


def _tokens_of_ours(block: Block, *, chain: str, at: datetime) -> list[Quarantine]:
    """Make a row for each transaction and address of ours: one transaction may tell of tokens thousands of times."""
    ours = find_addresses(chain, (token.address for token in block.tokens))
    told: dict[tuple[str, str], list[TokenMovement]] = {}
    for token in block.tokens:
        if token.address in ours:
            told.setdefault((token.txid, token.address), []).append(token)
    rows = []
    for (txid, address), tokens in told.items():
        first, more = tokens[0], f", and {len(tokens) - 1} more" if len(tokens) > 1 else ""
        rows.append(
            make_row(
                chain=chain,
                what=Quarantine.TOKEN,
                problem=f"a token of contract {first.contract} was sent to an address for {native_asset(chain).code}",
                at=at,
                txid=txid,
                position=str(first.position),
                owner_ref=ours[address].owner_ref,
                block_height=block.height,
                facts=f"{min(first.amount, MOST_TOKENS)} units to {address}{more}",
            )
        )
    return rows
