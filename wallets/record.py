"""Write what a chain said: one transaction per block, under the chain's row lock, so that two scanners cannot disagree.

Deposits become CONFIRMED and payouts CONFIRMED here, with their ledger entries in the same transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from core.locks import lock_rows
from ledger.post import post_entries
from wallets import states
from wallets.chains.protocol import Block, FeeQuote, Tx
from wallets.confirm import confirm_deposits, confirm_payouts
from wallets.deposits import reorg_entry
from wallets.freeze import freeze, funded_from
from wallets.models import Address, Attempt, BlockSeen, ChainState, Coin, Deposit
from wallets.outgoing import note_outgoing, unmine_payouts
from wallets.scan_state import native_asset

KEEP_BLOCKS = 400


@transaction.atomic
def record_block(*, chain: str, block: Block, identity: str, at: datetime) -> bool:
    """Record one block on top of the last one; False when another scanner was faster. Locks the chain's row.

    Statements do not depend on how many addresses we know: outputs are matched by index look-up.
    """
    ((state,),) = lock_rows(ChainState.objects.filter(code=chain))
    if state.height >= 0 and (block.height != state.height + 1 or block.parent_hash != state.block_hash):
        return False
    asset = native_asset(chain)
    _match(chain, block.txs, at, block=block)
    note_outgoing(chain=chain, block=block, at=at)
    state.height, state.block_hash, state.block_at = block.height, block.hash, block.at
    state.identity = state.identity or identity
    state.save(update_fields=("height", "block_hash", "block_at", "identity"))
    BlockSeen.objects.create(chain=chain, height=block.height, hash=block.hash, block_at=block.at)
    BlockSeen.objects.filter(chain=chain, height__lt=block.height - KEEP_BLOCKS).delete()
    entries = confirm_deposits(chain=chain, asset=asset, height=block.height, block_at=block.at, at=at)
    entries += confirm_payouts(chain=chain, asset=asset, height=block.height, at=at)
    post_entries(entries)
    return True


@dataclass(frozen=True, slots=True)
class Mempool:
    """What a node's mempool was like when unmined transactions were read: what fees it took, and which ids it held."""

    fees: FeeQuote
    present: frozenset[str] | set[str]


@transaction.atomic
def note_mempool(*, chain: str, txs: Sequence[Tx], mempool: Mempool, at: datetime) -> None:
    """Record deposits that are not mined yet. Locks the chain's row, because a block may be recorded meanwhile.

    Whether this first sight counts is stored with each (Deposit.sight_counts).
    """
    if txs and _wanted(chain, txs):
        lock_rows(ChainState.objects.filter(code=chain))
        _match(chain, txs, at, mempool=mempool)


def list_unmined(*, chain: str) -> list[str]:
    """Return the transactions of deposits that were seen and are in no block we know."""
    unmined = Deposit.objects.filter(chain=chain, state=states.SEEN, block_height=None)
    return sorted(set(unmined.values_list("txid", flat=True)[:1000]))


@transaction.atomic
def note_absent(*, chain: str, txid: str) -> None:
    """Record that an unmined transaction is gone: replaced, double-spent or evicted everywhere."""
    lock_rows(ChainState.objects.filter(code=chain))
    Deposit.objects.filter(chain=chain, txid=txid, state=states.SEEN, block_height=None).update(
        state=states.REMOVED, news=True
    )


@transaction.atomic
def roll_back(*, chain: str, fork_height: int, from_height: int, at: datetime) -> list[str]:
    """Undo what we recorded above `fork_height`; return the stored bytes of decided deposits, to be sent again.

    Unconfirmed deposits merely wait again. A confirmed one is booked against receivable:reorg, never against the
    customer. Deeper than the tolerated depth, payouts that this chain's deposits fund stop until the operator has looked.
    """
    ((state,),) = lock_rows(ChainState.objects.filter(code=chain))
    if state.height != from_height:
        return []
    gone = Deposit.objects.filter(chain=chain, block_height__gt=fork_height).select_related("asset")
    entries, stored = [], []
    for deposit in gone.order_by("pk"):
        if deposit.state == states.CONFIRMED:
            states.DEPOSIT.check(deposit.state, states.REMOVED)
            deposit.state = states.REMOVED
            deposit.reorg_count += 1
            entries.append(reorg_entry(deposit, at=at))
            Coin.objects.filter(deposit=deposit).update(usable=False)
            if deposit.raw:
                stored.append(deposit.raw)
        deposit.block_height, deposit.block_hash, deposit.mined_at, deposit.news = None, "", None, True
        deposit.save(update_fields=("state", "reorg_count", "block_height", "block_hash", "mined_at", "news"))
    entries += unmine_payouts(chain=chain, above=fork_height, at=at)
    BlockSeen.objects.filter(chain=chain, height__gt=fork_height).delete()
    shared = BlockSeen.objects.get(chain=chain, height=fork_height)
    state.height, state.block_hash, state.block_at = shared.height, shared.hash, shared.block_at
    state.save(update_fields=("height", "block_hash", "block_at"))
    if entries:
        asset = native_asset(chain)
        reason = f"{chain} was reorganised by {from_height - fork_height} blocks at {fork_height}, past confirmed rows"
        freeze(scope=funded_from(asset.code), reason=reason, at=at, by="machine")
        post_entries(entries)
    return stored


def _wanted(chain: str, txs: Sequence[Tx]) -> dict[str, Address]:
    targets = {movement.address for tx in txs for movement in tx.movements}
    return {row.address: row for row in Address.objects.filter(chain=chain, address__in=targets)} if targets else {}


def _match(
    chain: str, txs: Sequence[Tx], at: datetime, *, block: Block | None = None, mempool: Mempool | None = None
) -> None:
    """Write the deposits among these transactions: new ones, ones seen before, ones that came back."""
    addresses = _wanted(chain, txs)
    if not addresses:
        return
    paying = [(tx, m) for tx in txs if tx.ok for m in tx.movements if m.address in addresses and m.minor > 0]
    txids = {tx.txid for tx, _ in paying}
    own = set(Attempt.objects.filter(chain=chain, txid__in=txids).values_list("txid", flat=True))
    known = {(row.txid, row.position): row for row in Deposit.objects.filter(chain=chain, txid__in=txids)}
    asset = native_asset(chain)
    replaced = _replaced(chain, {addresses[m.address].owner_ref for _, m in paying}, mempool) if mempool else set()
    fresh = []
    for tx, movement in paying:
        if tx.txid in own:
            continue  # our change, or a payment between our own addresses: not a deposit
        row = known.get((tx.txid, movement.position))
        if row is not None:
            _meet_again(row, block)
            continue
        address = addresses[movement.address]
        deposit = Deposit(
            chain=chain,
            txid=tx.txid,
            position=movement.position,
            asset=asset,
            address=address,
            owner_ref=address.owner_ref,
            amount_minor=movement.minor,
            raw=tx.raw or "",
            first_seen_at=at,
            sight_counts=mempool is None or (mempool.fees.covers(tx) and address.owner_ref not in replaced),
        )
        _place(deposit, tx, block)
        fresh.append(deposit)
    Deposit.objects.bulk_create(fresh)


def _replaced(chain: str, owners: set[str], mempool: Mempool) -> set[str]:
    """Return the orders that saw an earlier payment which vanished unmined: what comes after it may be in its place.

    Whether it was replaced or merely forgotten, not every node can say; so it is taken for replaced.
    """
    earlier = Deposit.objects.filter(chain=chain, owner_ref__in=owners - {""}, block_height=None)
    gone = earlier.filter(state__in=(states.SEEN, states.REMOVED)).exclude(txid__in=mempool.present)
    return set(gone.values_list("owner_ref", flat=True))


def _meet_again(row: Deposit, block: Block | None) -> None:
    """Mine a deposit that was only seen, or bring one back that had vanished; anything else is a repeat."""
    if row.state == states.REMOVED:
        states.DEPOSIT.check(row.state, states.SEEN)
        row.state, row.news = states.SEEN, True
    elif block is None or row.block_height is not None:
        return
    if block is not None:
        row.block_height, row.block_hash, row.mined_at = block.height, block.hash, block.at
    row.save(update_fields=("state", "news", "block_height", "block_hash", "mined_at"))


def _place(deposit: Deposit, tx: Tx, block: Block | None) -> None:
    if block is None:
        return
    deposit.block_height, deposit.block_hash, deposit.mined_at = block.height, block.hash, block.at
    if tx.coinbase:
        deposit.mature_height = block.height + 100
    elif tx.hogex:
        deposit.mature_height = block.height + 6
