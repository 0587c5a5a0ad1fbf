"""Read a chain: blocks since the last scan, reorganisations, new mempool transactions, and what vanished.

The node is asked outside any transaction; what it said is written by wallets.record, block by block. The chain's
present state is the truth, and absence is an event too.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from wallets.chains.protocol import Block, Chain, ChainError, FeeQuote, Nonsense, Tip, TooLarge, Tx
from wallets.models import BlockSeen, ChainState
from wallets.reading.inner import read_again
from wallets.reading.match import Mempool, chunks
from wallets.reading.pegouts import follow_sights
from wallets.record import find_raw, list_unmined, note_absent, note_mempool, record_block, roll_back
from wallets.scan_state import find_distrust, get_state, note_gap, note_problem, note_scanned, note_sight, say_behind

logger = logging.getLogger(__name__)
BLOCKS_PER_SCAN = 100
MEMPOOL_PER_SCAN = 2000
MEMPOOL_AT_ONCE = 100  # in memory and in one transaction
LONGEST_SCAN_S = 15  # then the rest waits for the next turn; what is read stays read


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What one scan did; `problem` says why it stopped early, `finished` whether it reached the tip and the mempool."""

    blocks: int = 0
    rolled_back: int = 0
    finished: bool = False
    problem: str = ""


def scan_chain(*, node: Chain, at: datetime, known_mempool: set[str]) -> ScanReport:
    """Bring our rows up to the node's tip, at most 100 blocks at a time. Safe to repeat, to crash and to run twice.

    1. Ask who the node is and where it stands; without trust nothing is read.
    2. Walk back to the last block that we and the node share, and undo what lay above it.
    3. Record the blocks above, one transaction each.
    4. Record new mempool transactions, then look for unmined deposits that nobody knows any more.

    `known_mempool`: ids this process has looked at; only an economy, it may start empty at any time.
    """
    try:
        return _scan(node, at, known_mempool)
    except ChainError as error:
        problem = f"node: {error}"
        note_problem(chain=node.code, problem=problem)
        return ScanReport(problem=problem)
    except Exception as error:
        # Ours or the database's, a time limit included: whatever it is, nobody may go on selling what is not read.
        note_problem(chain=node.code, problem=f"scan_failed: {type(error).__name__}: {error}")
        raise


def _scan(node: Chain, at: datetime, known_mempool: set[str]) -> ScanReport:
    tip, identity, fees = node.tip(), node.identity(), node.fee_quote()
    state = get_state(node.code)
    problem = find_distrust(state=state, tip=tip, identity=identity, at=at) or _find_lag(node, state, tip)
    if problem:
        note_problem(chain=node.code, problem=problem)
        return ScanReport(problem=problem)
    if fees.clamped:
        logger.warning("%s: fees out of bounds: %s", node.code, fees.clamped)
    note_gap(chain=node.code, started_at=at)
    until_ns = time.monotonic_ns() + LONGEST_SCAN_S * 10**9
    rolled_back = _undo_reorganisation(node, state, at)
    blocks, caught_up = _read_blocks(node, tip.height, at, identity, until_ns)
    if blocks:
        note_sight(chain=node.code, sees_internal=node.sees_internal)
        if blindness := find_blindness(node):
            logger.warning("%s", blindness)
    if caught_up:
        caught_up = _read_mempool(node, fees, at, known_mempool, until_ns)
    if caught_up:
        note_scanned(chain=node.code, started_at=at, fee_rate_minor=fees.per_unit_minor)
        read_again(node=node, at=at)
    return ScanReport(blocks=blocks, rolled_back=rolled_back, finished=caught_up)


def _find_lag(node: Chain, state: ChainState, tip: Tip) -> str:
    """Say that the node is merely behind what we read, or nothing.

    A node that lost its latest blocks (killed, restored) shows a shorter chain for a while. Only another block at a height
    that both have is a reorganisation; until then nothing is undone and nothing concluded.
    """
    if tip.height >= state.height:
        return ""
    ours = BlockSeen.objects.filter(chain=node.code, height=tip.height).values_list("hash", flat=True).first()
    if ours is None:
        return say_behind(state, tip, "too far to tell whether it is the same chain")
    return say_behind(state, tip, "waiting until it has caught up") if node.block_hash(tip.height) == ours else ""


def find_blindness(node: Chain) -> str:
    """Say what the node left out of the blocks read so far, or nothing; no call."""
    if node.sees_internal:
        return ""
    return f"{node.code}: the node offers no traces, so deposits that contracts pay go unseen: use one with trace_block"


def _undo_reorganisation(node: Chain, state: ChainState, at: datetime) -> int:
    """Find the deepest block of ours that the node no longer has, and take back everything from there."""
    if state.height < 0:
        return 0
    seen = BlockSeen.objects.filter(chain=node.code, height__lte=state.height).order_by("-height")
    fork = None
    for block in seen[: settings.DEEPEST_ROLLBACK].iterator():
        if node.block_hash(block.height) == block.hash:
            fork = block.height
            break
    if fork == state.height:
        return 0
    if fork is None:
        raise ChainError(f"no common block within {settings.DEEPEST_ROLLBACK}: this is another chain")
    decided = roll_back(chain=node.code, fork_height=fork, from_height=state.height, at=at)
    for txid in decided:
        if raw := find_raw(chain=node.code, txid=txid):
            node.broadcast(raw)  # whatever it answers: the next scans see whether the deposit is back
    return state.height - fork


def _read_blocks(node: Chain, tip_height: int, at: datetime, identity: str, until_ns: int) -> tuple[int, bool]:
    state = get_state(node.code)
    first = state.height + 1 if state.height >= 0 else max(tip_height - settings.DEEPEST_ROLLBACK, 0)
    last = min(tip_height, first + BLOCKS_PER_SCAN - 1)
    parent = state.block_hash
    read = 0
    for height in range(first, last + 1):
        if time.monotonic_ns() > until_ns:
            return read, False
        block_hash = node.block_hash(height)
        if block_hash is None:
            return read, False  # the tip moved back meanwhile: the next scan finds the fork
        block: Block = node.read_block(block_hash)
        if parent and block.parent_hash != parent:
            return read, False
        record_block(chain=node.code, block=block, identity=identity, at=at)
        parent = block.hash
        read += 1
    return read, last == tip_height


def _read_mempool(node: Chain, fees: FeeQuote, at: datetime, known: set[str], until_ns: int) -> bool:
    """Record what is new in the mempool and what is gone from it; False when there is more to read than fits one scan."""
    present = set(node.list_mempool())
    known &= present
    unread = sorted(present - known)
    for part in chunks(unread[:MEMPOOL_PER_SCAN], MEMPOOL_AT_ONCE):
        if time.monotonic_ns() > until_ns:
            break
        txs = [tx for tx in (_read_unmined(node, txid) for txid in part) if tx is not None]
        note_mempool(chain=node.code, txs=txs, mempool=Mempool(fees, present), at=at)
        known.update(part)
    for txid in list_unmined(chain=node.code):
        if txid not in present and _is_gone(node, txid):
            note_absent(chain=node.code, txid=txid)
    follow_sights(chain=node.code, present=present, at=at)
    return known >= present


def _is_gone(node: Chain, txid: str) -> bool:
    """Say whether nobody knows a transaction any more, or a block that we have read holds it without this payment."""
    status = node.find_tx(txid)
    if status.state == "mined" and status.block_height is not None:
        # Failed there, or its contract paid something else; what is merely not told yet (TraceGap) comes back.
        return status.block_height <= get_state(node.code).height
    return status.state in ("unknown", "conflicted")


def _read_unmined(node: Chain, txid: str) -> Tx | None:
    """Read one unmined transaction; one that makes no sense is left to its block, which says more and names it."""
    try:
        return node.read_mempool_tx(txid)
    except (Nonsense, TooLarge) as error:
        logger.warning("%s: unmined transaction %s is passed over: %s", node.code, txid, error)
        return None
