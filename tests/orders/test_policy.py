"""The numbers stand in one place, and what people read is made from them."""

from datetime import timedelta
from pathlib import Path

import pytest

from orders import policy
from tests.sources import ROOT

PROSE = [
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("templates/**/*.html"),
    *ROOT.glob("locale/*/LC_MESSAGES/*.po"),
    *(path for app in ("orders", "website", "api", "nexchange") for path in ROOT.glob(f"{app}/**/*.py")),
]


@pytest.mark.parametrize(
    ("bps", "text"), [(50, "0.5 %"), (5, "0.05 %"), (100, "1 %"), (125, "1.25 %"), (0, "0 %"), (1, "0.01 %")]
)
def test_basis_points_are_spelt_as_people_do(bps: int, text: str) -> None:
    assert policy.percent(bps) == text


def test_windows_are_spelt_in_whole_units() -> None:
    assert policy.minutes(timedelta(minutes=20, seconds=59)) == 20
    assert policy.hours(timedelta(hours=72)) == 72


def test_the_tolerance_is_written_by_hand_nowhere_but_in_the_policy() -> None:
    written = policy.percent(policy.TOLERANCE_BPS)
    generated = {ROOT / "docs/STATES.md", ROOT / "orders/policy.py"}
    texts: dict[Path, str] = {path: path.read_text(encoding="utf-8") for path in PROSE if path not in generated}
    assert len(texts) > 50
    assert [str(path) for path, text in texts.items() if written in text or written.replace(" ", "") in text] == []


# What customers and partners were told, by the name under which the code takes it. To change one is to change a promise.
PUBLISHED = {
    "BPS": 10_000,
    "TOLERANCE_BPS": 50,  # 0.5 % more or less executes by itself
    "QUOTE_WINDOW": timedelta(seconds=60),
    "PAYMENT_WINDOW": timedelta(minutes=20),
    "QUOTE_SLIP_BPS": 200,
    "QUOTE_FEE_FACTOR": 2,
    "WAITING_WINDOW": timedelta(days=3),
    "LIQUIDITY_WINDOW": timedelta(hours=6),
    "MACHINE_WINDOW": timedelta(hours=1),
    "CLIENT_SHARE_PERCENT": 10,
    "KEPT_FOR_SMALL_PERCENT": 20,
    "SMALL_ORDER_MINIMUMS": 10,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_was_published_holds(name: str) -> None:
    assert getattr(policy, name) == PUBLISHED[name]


def test_every_number_of_the_policy_is_published() -> None:
    assert {name for name in vars(policy) if name.isupper()} == set(PUBLISHED)


@pytest.mark.parametrize(
    ("bps", "text"), [(9_999, "99.99 %"), (10_000, "100 %"), (10_001, "100.01 %"), (110, "1.1 %"), (101, "1.01 %")]
)
def test_basis_points_around_a_whole_are_spelt_exactly(bps: int, text: str) -> None:
    assert policy.percent(bps) == text


@pytest.mark.parametrize(
    ("window", "minutes", "hours"),
    [
        (timedelta(hours=1) - timedelta(microseconds=1), 59, 0),
        (timedelta(hours=1), 60, 1),
        (timedelta(hours=2) + timedelta(seconds=59), 120, 2),
    ],
)
def test_a_window_is_cut_to_whole_units_and_never_rounded_up(window: timedelta, minutes: int, hours: int) -> None:
    assert (policy.minutes(window), policy.hours(window)) == (minutes, hours)
