"""Write what a chain said: one transaction per block, under the chain's row lock, so that two scanners cannot disagree.

Deposits become CONFIRMED and payouts CONFIRMED here, with their ledger entries in the same transaction.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from core.locks import lock_rows
from ledger.post import NewEntry, post_entries
from wallets import states
from wallets.chains.protocol import Block, Tx
from wallets.confirm import confirm_deposits, confirm_payouts
from wallets.deposits import reorg_entry
from wallets.freeze import freeze, funded_from
from wallets.models import BlockSeen, ChainState, Coin, Deposit, RawTx
from wallets.outgoing import note_outgoing, unmine_payouts
from wallets.reading.inner import forget_above, note_block
from wallets.reading.match import Mempool, Sight, match, set_aside_oddities, wanted
from wallets.reading.pegouts import release_sights
from wallets.reading.quarantine import ROW_FAULTS
from wallets.scan_state import bound_mined_at, native_asset

logger = logging.getLogger(__name__)
KEEP_BLOCKS = 400


def record_block(*, chain: str, block: Block, identity: str, at: datetime) -> bool:
    """Record one block on top of the last one; False when another scanner was faster. Locks the chain's row.

    Whatever it holds, the block is finished: what cannot be stored is set aside (wallets.reading.quarantine). Where a
    block fails by the fault of one of our own rows, it is recorded once more, each of them in a savepoint.
    Statements do not depend on how many addresses we know: outputs are matched by index look-up.
    """
    try:
        return _record(chain, block, identity, at, careful=False)
    except ROW_FAULTS:
        logger.exception("%s: block %s at %s is recorded row by row", chain, block.hash, block.height)
        return _record(chain, block, identity, at, careful=True)


@transaction.atomic
def _record(chain: str, block: Block, identity: str, at: datetime, *, careful: bool) -> bool:
    ((state,),) = lock_rows(ChainState.objects.filter(code=chain))
    if state.height >= 0 and (block.height != state.height + 1 or block.parent_hash != state.block_hash):
        return False
    asset = native_asset(chain)
    mined_at = bound_mined_at(block.at, read_to=state.scan_started_at, at=at)
    match(block.txs, Sight(chain, at, block=block, mined_at=mined_at), wanted(chain, block.txs))
    set_aside_oddities(block, chain=chain, at=at)
    note_block(block, chain=chain, at=at)
    note_outgoing(chain=chain, block=block, at=at)
    state.height, state.block_hash, state.block_at = block.height, block.hash, block.at
    state.identity = state.identity or identity
    state.save(update_fields=("height", "block_hash", "block_at", "identity"))
    BlockSeen.objects.create(chain=chain, height=block.height, hash=block.hash, block_at=block.at)
    BlockSeen.objects.filter(chain=chain, height__lt=block.height - KEEP_BLOCKS).delete()
    entries = confirm_deposits(chain=chain, asset=asset, height=block.height, block_at=block.at, at=at, careful=careful)
    entries += confirm_payouts(chain=chain, asset=asset, height=block.height, at=at, careful=careful)
    post_entries(entries)
    return True


@transaction.atomic
def note_mempool(*, chain: str, txs: Sequence[Tx], mempool: Mempool, at: datetime) -> None:
    """Record deposits and peg-outs that are not mined yet. Locks the chain's row, because a block may be recorded meanwhile.

    Whether this first sight counts is stored with each (Deposit.sight_counts).
    """
    addresses = wanted(chain, txs)
    if addresses:
        lock_rows(ChainState.objects.filter(code=chain))
        match(txs, Sight(chain, at, mempool=mempool), addresses)


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
    """Undo what we recorded above `fork_height`; return the ids of decided deposits' transactions, to be sent again.

    Unconfirmed deposits merely wait again. A confirmed one is booked against receivable:reorg, never against the
    customer. Deeper than the tolerated depth, payouts that this chain's deposits fund stop until the operator has looked.
    """
    ((state,),) = lock_rows(ChainState.objects.filter(code=chain))
    if state.height != from_height:
        return []
    gone = Deposit.objects.filter(chain=chain, block_height__gt=fork_height).select_related("asset").defer("raw")
    entries: list[NewEntry] = []
    decided: set[str] = set()
    release_sights(chain=chain, above=fork_height)
    for deposit in gone.order_by("pk"):
        if deposit.state == states.CONFIRMED:
            states.DEPOSIT.check(deposit.state, states.REMOVED)
            deposit.state = states.REMOVED
            deposit.reorg_count += 1
            entries.append(reorg_entry(deposit, at=at))
            Coin.objects.filter(deposit=deposit).update(usable=False)
            decided.add(deposit.txid)
        deposit.block_height, deposit.block_hash, deposit.mined_at, deposit.news = None, "", None, True
        deposit.save(update_fields=("state", "reorg_count", "block_height", "block_hash", "mined_at", "news"))
    entries += unmine_payouts(chain=chain, above=fork_height, at=at)
    forget_above(chain=chain, height=fork_height)
    BlockSeen.objects.filter(chain=chain, height__gt=fork_height).delete()
    shared = BlockSeen.objects.get(chain=chain, height=fork_height)
    state.height, state.block_hash, state.block_at = shared.height, shared.hash, shared.block_at
    state.save(update_fields=("height", "block_hash", "block_at"))
    if entries:
        asset = native_asset(chain)
        reason = f"{chain} was reorganised by {from_height - fork_height} blocks at {fork_height}, past confirmed rows"
        freeze(scope=funded_from(asset.code), reason=reason, at=at, by="machine")
        post_entries(entries)
    return sorted(decided)


def find_raw(*, chain: str, txid: str) -> str:
    """Return the stored bytes of a transaction that paid us, or nothing: not every node gives them."""
    raw = RawTx.objects.filter(chain=chain, txid=txid).values_list("raw", flat=True).first()
    older = Deposit.objects.filter(chain=chain, txid=txid).exclude(raw="").values_list("raw", flat=True)
    return raw or older.first() or ""
