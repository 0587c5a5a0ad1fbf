import re
from pathlib import Path

import pytest

from core.money import Money
from ledger.balances import list_trial_balance
from ledger.chart import CHART
from ledger.models import LedgerAccount
from ledger.post import Leg, post_entries
from tests.ledger.books import ETH, LTC, entry

DOC = (Path(__file__).parents[2] / "docs" / "LEDGER.md").read_text(encoding="utf-8")
FLOORS = {1: "≥ 0", -1: "≤ 0", 0: ""}


def _rows(section: str) -> list[list[str]]:
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_documented_chart_is_the_chart():
    section = DOC.split("## The chart")[1].split("\n## ")[0]
    documented = _rows(section)[2:]
    expected = [
        [f"`{kind.code}`", kind.side, FLOORS[kind.floor], "yes" if kind.owned else "", kind.meaning]
        for kind in CHART.values()
    ]
    assert documented == expected


def test_floors_stand_on_the_side_of_the_kind():
    for kind in CHART.values():
        assert kind.floor in ((0, 1) if kind.side in ("asset", "expense") else (0, -1)), kind.code
        assert len(kind.code) <= 40


def test_the_database_knows_every_kind():
    (constraint,) = [c for c in LedgerAccount._meta.constraints if c.name == "ledger_account_in_chart"]
    assert all(f"'{code}'" in str(constraint.condition) for code in CHART)


@pytest.mark.django_db
def test_the_documented_swap_gives_the_documented_trial_balance():
    chapter = DOC.split("## A swap in numbers")[1].split("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\n)+", chapter, re.MULTILINE)
    assert len(tables) == 6
    read = [_read_legs(table) for table in tables]
    post_entries([entry(f"step:{number}", *legs) for number, legs in enumerate(read[:-1])])
    booked = {(line.kind, line.asset): line.minor for line in list_trial_balance() if line.minor}
    assert booked == {(leg.kind, leg.amount.asset.code): leg.amount.minor for leg in read[-1]}


def _read_legs(table: str) -> list[Leg]:
    legs = []
    for name, *cells in _rows(table)[2:]:
        kind, _, owner = name.replace("`", "").partition(" ")
        for asset, cell in zip((LTC, ETH), cells, strict=True):
            if cell:
                amount = Money.parse(cell.lstrip("+-"), asset)
                legs.append(Leg(kind, -amount if cell.startswith("-") else amount, owner))
    return legs
