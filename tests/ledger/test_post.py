import dataclasses
from datetime import timedelta

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from ledger.balances import find_imbalances, get_balance, get_floor_balance
from ledger.chart import CHART
from ledger.models import Balance, Entry, LedgerAccount, Posting
from ledger.post import EntryConflict, EntryRefused, InsufficientFunds, Leg, post_entries, post_entry
from tests.ledger.books import AT, deposit, entry, eth, fund, ltc

pytestmark = pytest.mark.django_db


def test_an_entry_moves_every_leg_and_nothing_else():
    assert post_entry(
        entry(
            "swap",
            Leg("position", -ltc(500)),
            Leg("chain:spendable", ltc(500)),
            Leg("position", eth(90)),
            Leg("revenue:fee", -eth(1)),
            Leg("customer", -eth(89), "O1"),
        )
    )
    assert get_balance(kind="position", asset=ltc(0).asset) == ltc(-500)
    assert get_balance(kind="position", asset=eth(0).asset) == eth(90)
    assert get_floor_balance(kind="customer", asset=eth(0).asset, owner="O1") == eth(-89)
    assert get_floor_balance(kind="chain:spendable", asset=ltc(0).asset) == ltc(500)
    assert Posting.objects.count() == 5
    assert Entry.objects.get().occurred_at == AT
    assert find_imbalances() == []


def test_wei_beyond_64_bits_are_kept_exactly():
    post_entry(fund("f", eth(10**37 + 1)))
    assert get_balance(kind="chain:spendable", asset=eth(0).asset) == eth(10**37 + 1)


def test_more_than_the_column_holds_is_refused_and_not_wrapped():
    post_entry(fund("a", eth(10**38 - 1)))
    with pytest.raises(DataError), transaction.atomic():
        post_entry(fund("b", eth(1)))
    assert get_balance(kind="chain:spendable", asset=eth(0).asset) == eth(10**38 - 1)


@pytest.mark.parametrize("size", [1, 25])
def test_a_batch_is_one_statement(size):
    with CaptureQueriesContext(connection) as statements:
        assert post_entries([deposit(f"d:{n}", ltc(5), f"O{n}") for n in range(size)]) == [True] * size
    assert len(statements) == 1
    assert Posting.objects.count() == 2 * size


def test_no_entries_need_no_statement():
    with CaptureQueriesContext(connection) as statements:
        assert post_entries([]) == []
    assert len(statements) == 0


def test_the_same_entry_again_changes_nothing_even_at_another_time():
    first = fund("f", ltc(7))
    later = dataclasses.replace(first, occurred_at=AT + timedelta(days=1))
    assert [post_entry(first), post_entry(first), post_entry(later)] == [True, False, False]
    assert Posting.objects.count() == 2
    assert get_balance(kind="capital", asset=ltc(0).asset) == ltc(-7)


@pytest.mark.parametrize(
    "other",
    [
        fund,
        lambda reference, amount: dataclasses.replace(fund(reference, amount), reason="otherwise"),
        lambda reference, amount: deposit(reference, amount, "O1"),
        lambda reference, amount: fund(reference, eth(amount.minor)),
    ],
)
def test_the_same_reference_with_other_contents_is_a_conflict_and_saves_nothing(other):
    post_entry(fund("f", ltc(7)))
    clashing = other("f", ltc(8)) if other is fund else other("f", ltc(7))
    with pytest.raises(EntryConflict, match="f was posted with other contents"), transaction.atomic():
        post_entries([fund("g", ltc(1)), clashing])
    assert list(Entry.objects.values_list("reference", flat=True)) == ["f"]


def test_a_repeat_inside_a_batch_is_posted_once():
    same = fund("f", ltc(7))
    assert post_entries([same, fund("g", ltc(1)), same]) == [True, True, False]
    assert get_balance(kind="chain:spendable", asset=ltc(0).asset) == ltc(8)


def test_a_clash_inside_a_batch_is_a_conflict():
    with pytest.raises(EntryConflict), transaction.atomic():
        post_entries([fund("f", ltc(7)), fund("f", ltc(8))])
    assert not Entry.objects.exists()


def test_answers_come_in_the_order_asked():
    post_entry(fund("m", ltc(1)))
    assert post_entries([fund("z", ltc(1)), fund("m", ltc(1)), fund("a", ltc(1))]) == [True, False, True]


@pytest.mark.parametrize(
    "legs",
    [
        (),
        (Leg("capital", ltc(1)),),
        (Leg("capital", ltc(1)), Leg("position", -ltc(2))),
        (Leg("capital", ltc(1)), Leg("position", -eth(1))),
        (Leg("capital", ltc(0)), Leg("position", ltc(0))),
        (Leg("petty cash", ltc(1)), Leg("position", -ltc(1))),
        (Leg("customer", ltc(1)), Leg("position", -ltc(1))),
        (Leg("position", ltc(1), "O1"), Leg("capital", -ltc(1))),
    ],
    ids=[
        "no legs",
        "one leg",
        "unequal",
        "two assets",
        "zeros",
        "unknown kind",
        "customer without owner",
        "owned house",
    ],
)
def test_a_malformed_entry_is_refused_before_the_database_is_asked(legs):
    with CaptureQueriesContext(connection) as statements, pytest.raises(EntryRefused):
        post_entry(entry("bad", *legs))
    assert len(statements) == 0


def test_legs_of_nothing_are_left_out():
    post_entry(entry("f", Leg("capital", -ltc(1)), Leg("revenue:fee", ltc(0)), Leg("chain:spendable", ltc(1))))
    assert not LedgerAccount.objects.filter(kind="revenue:fee").exists()


def test_an_overdraft_is_refused_in_the_books_words_and_leaves_no_trace():
    post_entry(deposit("d", ltc(5), "O1"))
    with pytest.raises(InsufficientFunds) as refusal, transaction.atomic():
        post_entries([fund("f", ltc(1)), entry("x", Leg("customer", ltc(6), "O1"), Leg("position", -ltc(6)))])
    assert refusal.value.code == "insufficient_funds"
    assert not Entry.objects.filter(reference__in=("f", "x")).exists()
    assert get_floor_balance(kind="customer", asset=ltc(0).asset, owner="O1") == ltc(-5)


def test_a_batch_may_pass_below_the_floor_on_its_way_but_not_end_there():
    spend = entry("spend", Leg("capital", ltc(5)), Leg("chain:spendable", -ltc(5)))
    assert post_entries([spend, fund("f", ltc(5))]) == [True, True]
    assert Balance.objects.get(account__kind="chain:spendable").amount_minor == 0


def test_one_customer_cannot_be_paid_from_anothers_account():
    post_entries([deposit("a", ltc(5), "O1"), deposit("b", ltc(500), "O2")])
    with pytest.raises(InsufficientFunds), transaction.atomic():
        post_entry(entry("x", Leg("customer", ltc(6), "O1"), Leg("position", -ltc(6))))


def test_what_does_not_fit_a_column_is_an_error_and_not_cut():
    with pytest.raises(DataError), transaction.atomic():
        post_entry(fund("r" * 121, ltc(1)))


def test_an_entry_is_reversed_by_one_other_at_most():
    back = (Leg("chain:spendable", -ltc(1)), Leg("capital", ltc(1)))
    post_entries([fund("f", ltc(1)), fund("g", ltc(5))])
    post_entry(entry("first", *back, reverses="f"))
    with pytest.raises(IntegrityError), transaction.atomic():
        post_entry(entry("second", *back, reverses="f"))


def test_nothing_that_is_not_there_is_reversed():
    with pytest.raises(EntryConflict, match="nothing to reverse"), transaction.atomic():
        post_entry(entry("x", Leg("chain:spendable", ltc(1)), Leg("capital", -ltc(1)), reverses="never"))


def test_outside_a_transaction_nothing_is_posted():
    connection_state = connection.in_atomic_block
    connection.in_atomic_block = False
    try:
        with pytest.raises(EntryRefused, match="outside a transaction"):
            post_entry(fund("f", ltc(1)))
    finally:
        connection.in_atomic_block = connection_state


def test_what_the_database_refuses_for_another_reason_is_no_lack_of_funds(monkeypatch):
    monkeypatch.setitem(CHART, "unknown", dataclasses.replace(CHART["capital"], code="unknown"))
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        post_entry(entry("u", Leg("chain:spendable", ltc(1)), Leg("unknown", -ltc(1))))

    assert "ledger_account_in_chart" in str(refusal.value)


@pytest.mark.parametrize(("last", "balanced"), [(-10, True), (-9, False), (-11, False)])
def test_three_legs_in_two_assets_balance_to_the_unit(last, balanced):
    legs = (Leg("chain:spendable", ltc(30)), Leg("capital", -ltc(20)), Leg("revenue:fee", ltc(last)))
    others = (Leg("chain:spendable", eth(1)), Leg("capital", -eth(1)))
    if balanced:
        assert post_entry(entry("e", *legs, *others))
    else:
        with pytest.raises(EntryRefused, match="do not balance"), transaction.atomic():
            post_entry(entry("e", *legs, *others))
