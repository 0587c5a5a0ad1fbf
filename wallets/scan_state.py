"""Is the node to be trusted now, and how far have we read: the questions asked before anything is decided by a chain."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from core.assets import list_assets
from core.foreign import clean_text
from core.models import Asset
from wallets.chains.protocol import Tip
from wallets.models import ChainState, ReadingGap


def native_asset(chain: str) -> Asset:
    """Return the chain's own coin, from memory. Raises: StopIteration for a chain without one (a bug)."""
    return next(asset for asset in list_assets() if asset.network == chain and asset.enabled)


def get_state(chain: str) -> ChainState:
    """Return the chain's row, making it the first time."""
    state, _created = ChainState.objects.get_or_create(code=chain)
    return state


def find_distrust(*, state: ChainState, tip: Tip, identity: str, at: datetime) -> str:
    """Say why the node is not to be trusted now, or nothing; pure.

    A wrong or blind node credits, expires and pays nothing: identity pinned at the first scan, no syncing node, no old
    tip, enough peers.
    """
    if state.identity and identity != state.identity:
        return f"wrong_chain: the node is on {identity}, this site was started on {state.identity}"
    if tip.syncing:
        return "syncing: the node has not caught up with its network"
    if tip.peers < settings.MIN_PEERS:
        return f"too_few_peers: {tip.peers} of at least {settings.MIN_PEERS}"
    age_s = int((at - tip.at).total_seconds())
    if age_s > settings.MAX_TIP_AGE_SECONDS[state.code]:
        return f"tip_too_old: the latest block is {age_s} seconds old"
    return ""


def find_problem(*, state: ChainState, tip: Tip, identity: str, at: datetime) -> str:
    """Say why nothing may be built on the node now, or nothing; pure: `find_distrust`, and a tip below what we read."""
    distrust = find_distrust(state=state, tip=tip, identity=identity, at=at)
    if distrust or tip.height >= state.height:
        return distrust
    return say_behind(state, tip, "nothing is built on it until it has caught up")


def say_behind(state: ChainState, tip: Tip, what: str) -> str:
    """Word the problem of a node that is at a lower block than we have read."""
    return f"behind: the node is at {tip.height}, this site has read up to {state.height}; {what}"


def note_problem(*, chain: str, problem: str) -> None:
    """Store why a scan did nothing. One statement; nothing else of the row changes."""
    with transaction.atomic():
        ChainState.objects.filter(code=chain).update(problem=clean_text(problem, most=300))


def note_gap(*, chain: str, started_at: datetime) -> None:
    """Store that nothing was read between the last finished scan and this one, when that was long ago. Safe to repeat.

    Called before a scan records anything; until one finishes, each makes the same gap longer.
    """
    state = get_state(chain)
    if state.scan_started_at is None:
        return  # the first reading of all: nobody was promised anything yet
    if started_at - state.scan_started_at > timedelta(seconds=settings.READING_GAP_SECONDS):
        with transaction.atomic():
            ReadingGap.objects.update_or_create(
                chain=chain, began_at=state.scan_started_at, defaults={"ended_at": started_at}
            )


def was_interrupted(*, chain: str, moment: datetime) -> bool:
    """Say whether our reading of the chain was interrupted across `moment`; one statement.

    A payment that arrived shortly before may then have been seen only afterwards, or in its block alone.
    """
    return ReadingGap.objects.filter(chain=chain, began_at__lt=moment, ended_at__gte=moment).exists()


def bound_mined_at(block_at: datetime, *, read_to: datetime | None, at: datetime) -> datetime:
    """Return when a block read at `at` counts as mined: its own time, within what we saw ourselves; pure.

    A miner may date a block before up to six of its predecessors, or two hours ahead (Core's validation.cpp), and a rate may
    hang on it. `read_to`: when the last finished scan began, which would have found the block, had it been there: blocks
    reach a node within seconds, so it is no older than that by more than a pause between scans.
    """
    latest = min(block_at, at)
    if read_to is None:
        return latest
    return min(max(latest, read_to - timedelta(seconds=settings.READING_GAP_SECONDS)), at)


def note_scanned(*, chain: str, started_at: datetime, fee_rate_minor: int) -> None:
    """Store that a scan which began at `started_at` reached the node's tip, mempool included."""
    with transaction.atomic():
        ChainState.objects.filter(code=chain).update(
            problem="", scan_started_at=started_at, fee_rate_minor=fee_rate_minor
        )


def note_sight(*, chain: str, sees_internal: bool) -> None:
    """Store whether the node told what contracts paid in the blocks that were read now. One statement."""
    with transaction.atomic():
        ChainState.objects.filter(code=chain).update(sees_internal=sees_internal)


def scanned_since(*, chain: str, moment: datetime, at: datetime) -> bool:
    """Say whether a scan that started after `moment` has finished, and recently. What was paid by then is known."""
    state = ChainState.objects.filter(code=chain, problem="").first()
    if state is None or state.scan_started_at is None:
        return False
    fresh = at - state.scan_started_at <= timedelta(seconds=settings.SCAN_FRESH_SECONDS)
    return fresh and state.scan_started_at > moment


def trusted_now(*, chain: str, at: datetime) -> bool:
    """Say whether the chain was read to its tip without a problem within the last minutes."""
    return scanned_since(chain=chain, moment=at - timedelta(seconds=settings.SCAN_FRESH_SECONDS), at=at)
