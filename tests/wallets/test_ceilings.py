"""The signer's ceilings: at, one unit below, one above; what a span counts; and that its journal cannot be bent."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import LazySettings

from core.models import Asset
from wallets.signer import journal
from wallets.signer.ceilings import Ceilings, find_excess, read_ceilings
from wallets.signer.journal import APPROVED, REVOKED, SIGNED, JournalBroken, Line

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CEILINGS = Ceilings(payout=100, hour=250, day=600, funded_hour=150)


def line(
    payout: int, minor: int, ago: timedelta = timedelta(0), *, what: str = SIGNED, funding: str = "litecoin"
) -> Line:
    return Line(NOW - ago, what, payout, f"order:O{payout}:settle", f"0x{payout}", minor, (funding,))


# name, what was signed before (payout, minor, how long ago), what is asked for, what stops it
CASES = [
    ("one payout, one below", [], 99, ""),
    ("one payout, at it", [], 100, ""),
    ("one payout, one above", [], 101, "one payout"),
    ("an hour, one below", [(1, 100, TICK), (2, 99, TICK)], 50, ""),
    ("an hour, at it", [(1, 100, TICK), (2, 100, TICK)], 50, ""),
    ("an hour, one above", [(1, 100, TICK), (2, 100, TICK)], 51, "an hour"),
    ("an hour, its last instant", [(1, 100, HOUR - TICK), (2, 100, TICK)], 51, "an hour"),
    ("an hour, over", [(1, 100, HOUR), (2, 100, TICK)], 51, ""),
    ("a day, one below", [(n, 100, HOUR * (n + 1)) for n in range(1, 6)], 99, ""),
    ("a day, at it", [(n, 100, HOUR * (n + 1)) for n in range(1, 6)], 100, ""),
    ("a day, one above", [(n, 100 if n < 6 else 1, HOUR * (n + 1)) for n in range(1, 7)], 100, "a day"),
    ("a day, its last instant", [(n, 100, DAY - TICK) for n in range(1, 7)], 1, "a day"),
    ("a day, over", [(n, 100, DAY) for n in range(1, 7)], 1, ""),
    ("signed twice, at it", [(1, 100, TICK), (1, 100, TICK)], 50, ""),
    ("signed twice, one above", [(1, 100, TICK), (1, 100, TICK)], 51, "an hour"),
    ("itself, signed before, at it", [(9, 50, TICK), (2, 100, TICK)], 100, ""),
    ("itself, signed before, one above", [(9, 51, TICK), (2, 100, TICK)], 100, "an hour"),
]


@pytest.mark.parametrize(("name", "before", "minor", "stopped_by"), CASES, ids=[case[0] for case in CASES])
def test_ceilings(name: str, before: list[tuple[int, int, timedelta]], minor: int, stopped_by: str) -> None:
    # Paid by the network's own deposits: the ceiling against another network's is apart.
    lines = [line(payout, amount, ago, funding="ethereum") for payout, amount, ago in before]
    excess = find_excess(line(9, minor, funding="ethereum"), lines, CEILINGS, network="ethereum")
    assert bool(excess) == bool(stopped_by), excess
    assert stopped_by in excess


@pytest.mark.parametrize(
    ("before", "ago", "funding", "minor", "stopped"),
    [
        (100, TICK, "litecoin", 49, False),
        (100, TICK, "litecoin", 50, False),
        (100, TICK, "litecoin", 51, True),
        (100, HOUR - TICK, "litecoin", 51, True),
        (100, HOUR, "litecoin", 51, False),
        (100, TICK, "dogecoin", 51, False),  # each network's deposits have an hour of their own
        (100, TICK, "ethereum", 51, False),
    ],
)
def test_ceiling_of_an_hour_against_another_networks_deposits(before, ago, funding, minor, stopped) -> None:
    """What whoever has stolen the worker of one network may forge deposits for, and another network's signer pays."""
    earlier = [line(1, before, ago, funding=funding)]
    assert bool(find_excess(line(9, minor), earlier, CEILINGS, network="ethereum")) is stopped


def test_what_a_person_approved_leaves_and_holds_nobody_up() -> None:
    big = line(9, 10_000)
    approved = line(9, 10_000, TICK, what=APPROVED)
    assert find_excess(big, [], CEILINGS, network="ethereum")
    assert not find_excess(big, [approved], CEILINGS, network="ethereum")
    assert not find_excess(line(8, 100), [approved, line(9, 10_000, TICK)], CEILINGS, network="ethereum")
    # It serves one signature: the next one asks a person again.
    assert find_excess(big, [approved, line(9, 10_000, TICK)], CEILINGS, network="ethereum")
    assert not find_excess(big, [approved, line(9, 10_000, TICK), approved], CEILINGS, network="ethereum")
    # Another amount, target or debt than the approved one is not approved.
    for other in (line(9, 10_001), line(8, 10_000)):
        assert find_excess(other, [approved], CEILINGS, network="ethereum")


def test_the_journal_is_read_as_it_was_written(settings: LazySettings) -> None:
    lines = [line(1, 10**30), line(2, 5, what=APPROVED)]
    for one in lines:
        journal.append("ethereum", one)
        assert journal.read_recent("ethereum", at=NOW)[-1] == one
    assert journal.read_recent("ethereum", at=NOW) == lines
    assert journal.read_recent("ethereum", at=NOW + timedelta(hours=25)) == lines[1:]  # an approval that nothing used
    assert journal.read_recent("litecoin", at=NOW) == []
    assert journal.path_of("ethereum").stat().st_mode & 0o777 == 0o600


# what was written (what, how many hours ago), and whether the same payment, over every ceiling, may be signed now
APPROVALS = [
    ([(APPROVED, 24)], True),
    ([(APPROVED, 26)], True),
    ([(APPROVED, 24 * 365)], True),
    ([(APPROVED, 400), (REVOKED, 399)], False),
    ([(APPROVED, 2), (REVOKED, 1)], False),
    ([(APPROVED, 3), (REVOKED, 2), (APPROVED, 1)], True),
    ([(REVOKED, 1)], False),
    ([(APPROVED, 400), (SIGNED, 399)], False),
    ([(APPROVED, 30), (SIGNED, 2)], False),
    ([(APPROVED, 30), (SIGNED, 2), (APPROVED, 1)], True),
]


@pytest.mark.parametrize("again", [False, True], ids=["at once", "read anew each hour"])
@pytest.mark.parametrize(("written", "signed"), APPROVALS)
def test_an_approval_stands_until_it_is_used_or_taken_back(
    written: list[tuple[str, int]], signed: bool, again: bool
) -> None:
    """It was forgotten after a day, while its payout waited for the hour to pass."""
    big = line(9, 10_000)
    for what, hours in written:
        journal.append("ethereum", line(9, 10_000, hours * HOUR, what=what))
        if again:
            journal.read_recent("ethereum", at=NOW - (hours - 1) * HOUR)
    lines = journal.read_recent("ethereum", at=NOW)
    assert (find_excess(big, lines, CEILINGS, network="ethereum") == "") is signed
    # What a person approved is in no span, however long ago that was.
    assert not find_excess(line(8, 100), lines, CEILINGS, network="ethereum")


def test_a_journal_that_has_become_shorter_stops_the_signer() -> None:
    journal.append("ethereum", line(1, 100))
    journal.read_recent("ethereum", at=NOW)
    journal.path_of("ethereum").write_bytes(b"")
    with pytest.raises(JournalBroken):
        journal.read_recent("ethereum", at=NOW)


def test_a_line_that_a_crash_tore_hides_none() -> None:
    journal.append("ethereum", line(1, 100))
    with journal.path_of("ethereum").open("ab") as file:
        file.write(b'{"at": "20')
    assert len(journal.read_recent("ethereum", at=NOW)) == 1
    journal.append("ethereum", line(2, 100))
    assert [one.payout for one in journal.read_recent("ethereum", at=NOW)] == [1, 2]


@pytest.mark.django_db
def test_ceilings_are_given_in_coins(settings: LazySettings) -> None:
    settings.CEILINGS = {"litecoin": {"payout": "1.5", "hour": "2", "day": "3", "funded_hour": "0.00000001"}}
    assert read_ceilings(Asset.objects.get(pk="LTC")) == Ceilings(150_000_000, 200_000_000, 300_000_000, 1)
