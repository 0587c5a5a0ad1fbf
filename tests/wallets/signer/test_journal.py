"""wallets.signer.journal: what is kept, for how long, where, and that a line is on the disk before anything goes on."""

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings

from wallets.signer import journal
from wallets.signer.journal import SIGNED, JournalBroken, Line, append, path_of, read_recent

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def _folder(settings: LazySettings, tmp_path: Path) -> None:
    settings.SIGNER_JOURNAL_DIR = str(tmp_path / "kept" / "signers")


def line(payout: int, ago: timedelta = timedelta(0)) -> Line:
    return Line(NOW - ago, SIGNED, payout, f"order:O{payout}:settle", "0x1", 10**30, ("litecoin", "dogecoin"), "so")


@pytest.mark.parametrize(
    ("ago", "kept"),
    [(timedelta(hours=25) - TICK, True), (timedelta(hours=25), False), (timedelta(hours=25) + TICK, False)],
)
def test_a_line_counts_for_25_hours(ago: timedelta, kept: bool) -> None:
    """The longest ceiling is a day; an hour more covers a clock that was put back."""
    append("ethereum", line(1, ago))
    assert bool(read_recent("ethereum", at=NOW)) is kept


def test_lines_are_read_once_and_new_ones_are_found() -> None:
    for number in (1, 2, 3):
        append("ethereum", line(number))
        assert [one.payout for one in read_recent("ethereum", at=NOW)] == list(range(1, number + 1))
    assert read_recent("ethereum", at=NOW) == [line(1), line(2), line(3)]
    # Of those in memory, what has become too old is dropped.
    assert read_recent("ethereum", at=NOW + timedelta(hours=25)) == []


def test_only_its_owner_can_read_or_change_it() -> None:
    append("ethereum", line(1))
    path = path_of("ethereum")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    append("ethereum", line(2))  # the folder is there
    assert len(read_recent("ethereum", at=NOW)) == 2


def test_a_line_is_on_the_disk_before_anything_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = os.fsync

    def look(descriptor: int) -> None:
        seen.append(path_of("ethereum").read_text())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    append("ethereum", line(7))
    (text,) = seen
    assert json.loads(text)["payout"] == 7
    assert text.endswith("\n")


@pytest.mark.parametrize(("cut", "broken"), [(0, False), (1, True)])
def test_a_journal_that_lost_a_byte_stops_the_signer(cut: int, broken: bool) -> None:
    append("ethereum", line(1))
    read_recent("ethereum", at=NOW)
    path = path_of("ethereum")
    path.write_bytes(path.read_bytes()[: path.stat().st_size - cut])
    if broken:
        with pytest.raises(JournalBroken):
            read_recent("ethereum", at=NOW)
    else:
        assert len(read_recent("ethereum", at=NOW)) == 1


@pytest.mark.parametrize(
    "torn",
    ['{"at": "20', "[]", "7", '{"at": "2026-11-23T12:00:00+00:00"}', '{"at": "yesterday", "payout": "x"}'],
)
def test_a_line_that_says_nothing_hides_no_other(torn: str) -> None:
    append("ethereum", line(1))
    with path_of("ethereum").open("a") as file:
        file.write(torn)
    append("ethereum", line(2))
    assert [one.payout for one in read_recent("ethereum", at=NOW)] == [1, 2]


def test_half_a_line_is_read_once_it_is_whole() -> None:
    append("ethereum", line(1))
    whole = path_of("ethereum").read_bytes()
    path_of("litecoin").write_bytes(whole[:-20])
    assert read_recent("litecoin", at=NOW) == []
    path_of("litecoin").write_bytes(whole)
    assert read_recent("litecoin", at=NOW) == [line(1)]


def test_each_network_has_its_own() -> None:
    append("ethereum", line(1))
    assert read_recent("litecoin", at=NOW) == []
    assert journal.path_of("litecoin") != journal.path_of("ethereum")
