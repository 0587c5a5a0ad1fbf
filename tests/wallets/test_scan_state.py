"""wallets.scan_state: when a node is believed, when our reading is fresh, and what a block's time is worth; to the second."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import LazySettings

from wallets.chains.protocol import Tip
from wallets.models import ChainState, ReadingGap
from wallets.scan_state import (
    bound_mined_at,
    find_distrust,
    find_problem,
    get_state,
    native_asset,
    note_gap,
    note_problem,
    note_scanned,
    note_sight,
    scanned_since,
    trusted_now,
    was_interrupted,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND, TICK = timedelta(seconds=1), timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def _limits(settings: LazySettings) -> None:
    settings.MIN_PEERS, settings.MAX_TIP_AGE_SECONDS = 3, {"litecoin": 5400}
    settings.SCAN_FRESH_SECONDS, settings.READING_GAP_SECONDS = 300, 60


def tip(*, height: int = 10, age_s: float = 0, syncing: bool = False, peers: int = 3) -> Tip:
    return Tip(height, "hash", NOW - timedelta(seconds=age_s), syncing, peers)


# name, what the node says of its tip, its identity and ours, what is wrong with it
TRUST: list[tuple[str, Tip, str, str, str]] = [
    ("all is well", tip(), "main", "main", ""),
    ("the first scan pins whatever it is", tip(), "other", "", ""),
    ("another chain", tip(), "other", "main", "wrong_chain"),
    ("it says nothing", tip(), "", "main", "wrong_chain"),
    ("still syncing", tip(syncing=True), "main", "main", "syncing"),
    ("one peer short", tip(peers=2), "main", "main", "too_few_peers"),
    ("more peers", tip(peers=4), "main", "main", ""),
    ("a tip as old as may be", tip(age_s=5400), "main", "main", ""),
    ("not yet a second older", tip(age_s=5400.9), "main", "main", ""),
    ("a second older", tip(age_s=5401), "main", "main", "tip_too_old"),
    ("at the block we have read", tip(height=10), "main", "main", ""),
    ("a block ahead", tip(height=11), "main", "main", ""),
]


@pytest.mark.parametrize(("name", "said", "identity", "ours", "wrong"), TRUST, ids=[case[0] for case in TRUST])
def test_a_node_is_believed_or_not(name: str, said: Tip, identity: str, ours: str, wrong: str) -> None:
    state = ChainState(code="litecoin", identity=ours, height=10)
    for find in (find_distrust, find_problem):
        assert find(state=state, tip=said, identity=identity, at=NOW).partition(":")[0] == wrong


def test_nothing_is_built_on_a_node_a_block_behind_but_it_is_not_distrusted() -> None:
    state = ChainState(code="litecoin", identity="main", height=10)
    behind = {"state": state, "tip": tip(height=9), "identity": "main", "at": NOW}
    assert find_distrust(**behind) == ""
    assert find_problem(**behind).startswith("behind: the node is at 9, this site has read up to 10;")
    # What is worse is said first.
    assert find_problem(**{**behind, "identity": "other"}).startswith("wrong_chain")


# the block's own time and the last finished scan before NOW in seconds, when it counts as mined
TIMES = [
    (0, None, 0),
    (30, None, 30),
    (-1, None, 0),  # dated ahead
    (30, 0, 30),
    (60, 0, 60),
    (61, 0, 60),  # dated before what the last scan would have found
    (10**6, 0, 60),
    (100, 40, 100),
    (101, 40, 100),
    (-1, 40, 0),
    (0, -100, 0),  # a scan of the future binds nothing
    (-7200, -100, 0),
]


@pytest.mark.parametrize(("block_ago", "read_ago", "mined_ago"), TIMES)
def test_a_miner_cannot_date_a_block_outside_of_what_we_saw(
    block_ago: int, read_ago: int | None, mined_ago: int
) -> None:
    read_to = None if read_ago is None else NOW - timedelta(seconds=read_ago)
    mined = bound_mined_at(NOW - timedelta(seconds=block_ago), read_to=read_to, at=NOW)
    assert (NOW - mined).total_seconds() == mined_ago


# when the last finished scan began before NOW, whether there is a problem, the moment asked for, whether all is known
SCANS = [
    (300, "", 301, True),
    (300, "", 300, False),  # it must have begun after the moment
    (301, "", 302, False),  # too long ago to say anything about now
    (0, "", 1, True),
    (0, "node: down", 1, False),
    (None, "", 1, False),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("scan_ago", "problem", "moment_ago", "known"), SCANS)
def test_what_was_paid_by_a_moment_is_known_after_a_scan_that_began_later(scan_ago, problem, moment_ago, known) -> None:
    began = None if scan_ago is None else NOW - scan_ago * SECOND
    ChainState.objects.create(code="litecoin", problem=problem, scan_started_at=began)
    assert scanned_since(chain="litecoin", moment=NOW - moment_ago * SECOND, at=NOW) is known
    assert not scanned_since(chain="ethereum", moment=NOW - moment_ago * SECOND, at=NOW)


@pytest.mark.django_db
@pytest.mark.parametrize(("ago", "trusted"), [(timedelta(0), True), (300 * SECOND - TICK, True), (300 * SECOND, False)])
def test_a_chain_is_trusted_for_five_minutes_after_a_scan(ago: timedelta, trusted: bool) -> None:
    ChainState.objects.create(code="litecoin", scan_started_at=NOW - ago)
    assert trusted_now(chain="litecoin", at=NOW) is trusted


@pytest.mark.django_db
@pytest.mark.parametrize(("apart", "gap"), [(60 * SECOND, False), (60 * SECOND + TICK, True)])
def test_scans_further_apart_than_a_minute_leave_a_gap(apart: timedelta, gap: bool) -> None:
    note_gap(chain="litecoin", started_at=NOW)  # the first of all
    assert not ReadingGap.objects.exists()
    ChainState.objects.update(scan_started_at=NOW - apart)
    note_gap(chain="litecoin", started_at=NOW)
    assert ReadingGap.objects.exists() is gap
    if gap:
        note_gap(chain="litecoin", started_at=NOW + SECOND)
        found = ReadingGap.objects.get()
        assert (found.chain, found.began_at, found.ended_at) == ("litecoin", NOW - apart, NOW + SECOND)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("moment", "inside"), [(-TICK, False), (0 * SECOND, False), (TICK, True), (SECOND, True), (SECOND + TICK, False)]
)
def test_a_moment_inside_a_gap(moment: timedelta, inside: bool) -> None:
    ReadingGap.objects.create(chain="litecoin", began_at=NOW, ended_at=NOW + SECOND)
    assert was_interrupted(chain="litecoin", moment=NOW + moment) is inside
    assert not was_interrupted(chain="ethereum", moment=NOW + moment)


@pytest.mark.django_db
def test_what_a_scan_leaves_behind() -> None:
    get_state("litecoin")
    get_state("ethereum")
    note_problem(chain="litecoin", problem="node: down\n" + "x" * 400)
    note_sight(chain="litecoin", sees_internal=False)
    state = get_state("litecoin")
    assert state.problem.startswith("node: down")
    assert (len(state.problem), state.sees_internal) == (300, False)
    note_scanned(chain="litecoin", started_at=NOW, fee_rate_minor=17)
    note_sight(chain="litecoin", sees_internal=True)
    state = get_state("litecoin")
    assert (state.problem, state.scan_started_at, state.fee_rate_minor, state.sees_internal) == ("", NOW, 17, True)
    other = get_state("ethereum")
    assert (other.problem, other.scan_started_at) == ("", None)


@pytest.mark.django_db
@pytest.mark.parametrize(("chain", "code"), [("litecoin", "LTC"), ("ethereum", "ETH")])
def test_a_chains_own_coin_is_the_one_that_is_enabled(chain: str, code: str) -> None:
    assert native_asset(chain).code == code
