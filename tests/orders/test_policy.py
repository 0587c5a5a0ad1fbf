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
