"""Blocks that were read without what contracts paid in them: remembered by height, and read again until they are whole."""

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from core.locks import lock_rows
from wallets.chains.protocol import Block, Chain, ChainError
from wallets.models import BlockSeen, ChainState, Quarantine, TraceGap
from wallets.reading.match import Sight, match, wanted
from wallets.reading.quarantine import name_block, resolve_traces, set_aside

BLOCKS_PER_TURN = 10
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=6)

logger = logging.getLogger(__name__)


def note_block(block: Block, *, chain: str, at: datetime) -> None:
    """Remember a block whose inner payments are missing. In the transaction that records it, under the chain's lock.

    A node without traces makes one row that grows; a block that was too much makes one of its own and is set aside.
    """
    if block.sees_internal and not block.untraced:
        return
    whole = not block.sees_internal
    grown = TraceGap.objects.filter(chain=chain, last_height=block.height - 1, whole=True) if whole else None
    if grown is None or not grown.update(last_height=block.height):
        TraceGap.objects.create(
            chain=chain, first_height=block.height, last_height=block.height, whole=whole, next_try_at=at + FIRST_WAIT
        )
    if block.untraced:
        set_aside(
            chain=chain,
            what=Quarantine.TRACES,
            problem=f"what contracts paid in {len(block.untraced)} transactions could not be read; it is tried again",
            at=at,
            position=name_block(block.height),
            block_height=block.height,
            facts=" ".join(block.untraced[:50]),
        )


def forget_above(*, chain: str, height: int) -> None:
    """Forget gaps above a height that is rolled back: those blocks are read anew. In the caller's transaction."""
    TraceGap.objects.filter(chain=chain, first_height__gt=height).delete()
    TraceGap.objects.filter(chain=chain, last_height__gt=height).update(last_height=height)


def read_again(*, node: Chain, at: datetime, limit: int = BLOCKS_PER_TURN) -> int:
    """Read up to `limit` blocks of due gaps again and record what contracts paid in them; return how many became whole.

    The node is asked outside any transaction. Safe to repeat and to run twice: deposits are met again, a gap that
    somebody else has shortened is left as it is. A node in trouble puts the gap off and is nobody's problem here.
    """
    done = 0
    due = TraceGap.objects.filter(chain=node.code, next_try_at__lte=at).order_by("next_try_at", "pk").first()
    while due is not None and done < limit:
        block = _read_block(node, due.first_height)
        if block is None or not block.sees_internal or block.untraced:
            _put_off(due, at)
            return done
        if not _close_first(due, block, chain=node.code, at=at):
            return done
        done += 1
        due = TraceGap.objects.filter(chain=node.code, next_try_at__lte=at).order_by("next_try_at", "pk").first()
    return done


def _read_block(node: Chain, height: int) -> Block | None:
    try:
        block_hash = node.block_hash(height)
        return node.read_block(block_hash) if block_hash else None
    except ChainError as error:
        logger.warning("%s: block %s cannot be read again: %s", node.code, height, error)
        return None


def _put_off(gap: TraceGap, at: datetime) -> None:
    wait = min(FIRST_WAIT * 2 ** min(gap.tries, 10), LONGEST_WAIT)
    with transaction.atomic():
        TraceGap.objects.filter(pk=gap.pk).update(tries=F("tries") + 1, next_try_at=at + wait)


@transaction.atomic
def _close_first(gap: TraceGap, block: Block, *, chain: str, at: datetime) -> bool:
    """Record the first block of a gap, now whole, and shorten the gap by it. Locks the chain's row.

    False when the block is not ours (any more), or somebody else was here first.
    """
    lock_rows(ChainState.objects.filter(code=chain))
    ours = BlockSeen.objects.filter(chain=chain, height=block.height).values_list("hash", flat=True).first()
    rows: QuerySet[TraceGap] = TraceGap.objects.filter(pk=gap.pk, first_height=block.height)
    # Blocks deeper than what we remember are not reorganised; a reorganisation removes the gaps above its fork.
    if (ours is not None and ours != block.hash) or not rows.exists():
        return False
    # When it was read for the first time is not known any more; such chains have no miners who choose the time.
    match(block.txs, Sight(chain, at, block=block, mined_at=min(block.at, at)), wanted(chain, block.txs))
    resolve_traces(chain=chain, height=block.height, at=at)
    if not rows.filter(last_height=block.height).delete()[0]:
        rows.update(first_height=block.height + 1, tries=0)
    return True
