import pytest
from django.db import transaction

from ledger.balances import find_imbalances, list_trial_balance
from ledger.models import Entry
from ledger.post import InsufficientFunds, Leg, post_entries, post_entry
from ledger.reverse import reverse_entry
from tests.ledger.books import AT, deposit, entry, eth, fund, ltc

pytestmark = pytest.mark.django_db


def _sums():
    return {(line.kind, line.asset): line.minor for line in list_trial_balance() if line.minor}


def test_a_reversal_leaves_no_balance_and_names_what_it_took_back():
    post_entries([fund("f", ltc(7)), deposit("d", eth(10**20), "O1")])
    before = _sums()
    swap = entry(
        "swap", Leg("position", ltc(5)), Leg("capital", -ltc(5)), Leg("position", eth(2)), Leg("revenue:fee", -eth(2))
    )
    post_entry(swap)
    assert reverse_entry(reference="swap", reason="mistake", at=AT) == "reverse:swap"
    assert _sums() == before
    assert Entry.objects.get(reference="reverse:swap").reverses == Entry.objects.get(reference="swap")
    assert find_imbalances() == []


def test_reversing_again_changes_nothing():
    post_entry(fund("f", ltc(7)))
    assert reverse_entry(reference="f", reason="mistake", at=AT) == reverse_entry(
        reference="f", reason="mistake", at=AT
    )
    assert Entry.objects.count() == 2


def test_a_reversal_is_reversed_in_its_turn():
    post_entry(fund("f", ltc(7)))
    before = _sums()
    reverse_entry(reference=reverse_entry(reference="f", reason="mistake", at=AT), reason="was right", at=AT)
    assert _sums() == before


def test_what_was_spent_meanwhile_cannot_be_reversed_away():
    post_entries([fund("f", ltc(7)), entry("x", Leg("capital", ltc(7)), Leg("chain:spendable", -ltc(7)))])
    with pytest.raises(InsufficientFunds), transaction.atomic():
        reverse_entry(reference="f", reason="mistake", at=AT)


def test_an_unknown_entry_is_not_reversed():
    with pytest.raises(Entry.DoesNotExist):
        reverse_entry(reference="never", reason="mistake", at=AT)
