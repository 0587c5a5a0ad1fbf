import io

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ledger.balances import (
    TrialLine,
    find_imbalances,
    get_balance,
    get_floor_balance,
    list_trial_balance,
    take_checkpoints,
)
from ledger.models import Checkpoint
from ledger.post import Leg, post_entries, post_entry
from tests.ledger.books import ETH, LTC, deposit, entry, eth, fund, ltc

pytestmark = pytest.mark.django_db


def test_an_account_never_used_holds_nothing():
    assert get_balance(kind="position", asset=LTC) == ltc(0)
    assert get_floor_balance(kind="customer", asset=LTC, owner="O404") == ltc(0)
    assert list_trial_balance() == []


def test_the_trial_balance_sums_owners_and_keeps_assets_apart():
    post_entries([deposit("a", ltc(5), "O1"), deposit("b", ltc(6), "O2"), fund("e", eth(3))])
    assert list_trial_balance() == [
        TrialLine("capital", "ETH", -3),
        TrialLine("chain:spendable", "ETH", 3),
        TrialLine("chain:spendable", "LTC", 11),
        TrialLine("customer", "LTC", -11),
    ]


def test_balances_agree_before_at_and_after_checkpoints():
    for turn in range(5):
        post_entries([fund(f"f{turn}", ltc(10)), fund(f"e{turn}", eth(7))])
        assert get_balance(kind="capital", asset=LTC) == ltc(-10 * (turn + 1))
        refreshed = take_checkpoints()
        assert refreshed == 2  # the accounts without a floor; the others keep a balance row
        assert take_checkpoints() == 0
        assert get_balance(kind="capital", asset=LTC) == ltc(-10 * (turn + 1))
        assert get_balance(kind="capital", asset=ETH) == eth(-7 * (turn + 1))
    assert find_imbalances() == []
    assert Checkpoint.objects.count() == 2


def test_a_balance_is_one_statement():
    post_entry(fund("f", ltc(5)))
    for read in (get_balance, get_floor_balance):
        with CaptureQueriesContext(connection) as statements:
            assert read(kind="chain:spendable", asset=LTC) == ltc(5)
        assert len(statements) == 1


def test_the_command_prints_whole_coins_and_says_balanced():
    post_entries([fund("f", ltc(150_000_000)), entry("x", Leg("dust", -eth(1)), Leg("position", eth(1)))])
    out = io.StringIO()
    call_command("trial_balance", stdout=out)
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert ["chain:spendable", "1.5", "LTC"] in lines
    assert ["dust", "-0.000000000000000001", "ETH"] in lines
    assert lines[-1] == ["balanced"]
