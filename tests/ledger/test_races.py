"""Real connections at once: the same reference, the same coins, opposite orders, and a checkpoint in between."""

import time
from functools import partial

import pytest
from django.db import OperationalError, connection, transaction

from ledger.balances import find_imbalances, get_balance, get_floor_balance, take_checkpoints
from ledger.models import Entry, Posting
from ledger.post import EntryConflict, InsufficientFunds, Leg, post_entries
from ledger.reserve import release_entry, reserve_entry, settle_entry
from tests.ledger.books import AT, LTC, commit, deposit, entry, eth, fund, ltc, run_together

pytestmark = pytest.mark.usefixtures("committed_db")


def _spend(reference, amount):
    return entry(reference, Leg("capital", amount), Leg("chain:spendable", -amount))


def test_the_same_reference_from_eight_threads_is_posted_once():
    results = run_together(*[partial(commit, fund("f", ltc(5)))] * 8)
    assert sorted(results, key=str) == [[False]] * 7 + [[True]]
    assert get_floor_balance(kind="chain:spendable", asset=LTC) == ltc(5)


def test_one_of_two_contents_for_one_reference_wins():
    results = run_together(partial(commit, fund("f", ltc(5))), partial(commit, fund("f", ltc(6))))
    assert sum(isinstance(result, EntryConflict) for result in results) == 1
    assert Entry.objects.count() == 1


def test_of_threads_that_want_the_same_coins_exactly_one_gets_them():
    commit(fund("f", ltc(10)))
    results = run_together(*(partial(commit, _spend(f"s{n}", ltc(6))) for n in range(6)))
    assert results.count([True]) == 1
    assert sum(isinstance(result, InsufficientFunds) for result in results) == 5
    assert get_floor_balance(kind="chain:spendable", asset=LTC) == ltc(4)


def test_without_the_balance_guard_the_same_race_overdraws(as_owner):
    """The control: it shows that the test above has a race to stop, and which guard stops it."""
    as_owner.execute("ALTER TABLE ledger_balance DROP CONSTRAINT balance_within_floor")
    commit(fund("f", ltc(10)))
    results = run_together(*(partial(commit, _spend(f"s{n}", ltc(6))) for n in range(6)))
    assert results == [[True]] * 6
    assert get_floor_balance(kind="chain:spendable", asset=LTC) == ltc(-26)


def test_a_guard_that_reads_before_it_writes_loses_the_race(as_owner):
    """The control for the lock: asking for the balance first, without the row, lets both through."""
    as_owner.execute("ALTER TABLE ledger_balance DROP CONSTRAINT balance_within_floor")
    commit(fund("f", ltc(10)))

    def careful(reference):
        with transaction.atomic():
            if get_floor_balance(kind="chain:spendable", asset=LTC) >= ltc(6):
                time.sleep(0.3)
                post_entries([_spend(reference, ltc(6))])

    run_together(partial(careful, "a"), partial(careful, "b"))
    assert get_floor_balance(kind="chain:spendable", asset=LTC) == ltc(-2)


def test_batches_in_opposite_orders_never_deadlock():
    commit(fund("f", ltc(10**6)), fund("e", eth(10**6)))
    owners = [f"O{n}" for n in range(12)]

    def batches(order, tag):
        for turn in range(15):
            pairs = [(owner, amount) for owner in order for amount in (ltc(1), eth(1))]
            commit(*(deposit(f"{tag}:{turn}:{owner}:{amount.asset}", amount, owner) for owner, amount in pairs))
        return "done"

    orders = (owners, owners[::-1])
    works = [partial(batches, orders[place % 2], tag) for place, tag in enumerate(("a", "b", "same", "same"))]
    assert run_together(*works) == ["done"] * 4
    assert find_imbalances() == []
    assert Entry.objects.count() == 2 + 3 * 15 * 24


def test_a_reservation_is_settled_or_released_but_never_both():
    for turn in range(6):
        purpose = f"order:O{turn}"
        commit(deposit(f"d{turn}", ltc(100), f"O{turn}"), reserve_entry(purpose=purpose, amount=ltc(60), at=AT))
        settled = settle_entry(purpose=purpose, reserved=ltc(60), paid=ltc(50), fee=ltc(1), owner=f"O{turn}", at=AT)
        released = release_entry(purpose=purpose, reserved=ltc(60), at=AT)
        results = run_together(partial(commit, settled), partial(commit, released))
        assert results.count([True]) == 1
        assert sum(isinstance(result, EntryConflict) for result in results) == 1
        assert get_floor_balance(kind="chain:reserved", asset=LTC) == ltc(0)
    assert find_imbalances() == []


def test_a_checkpoint_waits_for_postings_on_their_way_and_loses_none():
    commit(fund("f", ltc(1)))

    def slow_post():
        with transaction.atomic():
            post_entries([fund("slow", ltc(10))])
            time.sleep(1)

    def fast_post_then_checkpoint():
        time.sleep(0.3)  # the slow one has its lower posting ids by now
        commit(fund("fast", ltc(100)))

    def checkpoint():
        time.sleep(0.6)
        return take_checkpoints()

    # (the fast one waits for the row of chain:spendable; the control below shows the case without a floor)
    results = run_together(slow_post, fast_post_then_checkpoint, checkpoint)
    assert not [result for result in results if isinstance(result, Exception)]
    assert get_balance(kind="capital", asset=LTC) == ltc(-111)
    assert find_imbalances() == []


def test_checkpoints_while_everyone_posts_keep_every_posting():
    def post(tag):
        for turn in range(40):
            commit(entry(f"{tag}:{turn}", Leg("position", ltc(1)), Leg("capital", -ltc(1))))

    def checkpoint():
        for _ in range(15):
            take_checkpoints()
            time.sleep(0.01)

    results = run_together(*(partial(post, tag) for tag in "abcd"), checkpoint, checkpoint)
    assert results == [None] * 6
    assert get_balance(kind="position", asset=LTC) == ltc(160)
    assert find_imbalances() == []
    take_checkpoints()
    assert get_balance(kind="position", asset=LTC) == ltc(160)
    assert Posting.objects.count() == 320


def test_a_checkpoint_without_its_lock_loses_a_posting(as_owner):
    """The control: ids are handed out before commit, so a sum up to the highest one misses what is still on its way."""
    as_owner.execute("SELECT prosrc FROM pg_proc WHERE proname = 'ledger_take_checkpoints'")
    source = as_owner.fetchone()[0].replace("LOCK TABLE ledger_posting IN SHARE MODE;", "")
    as_owner.execute(
        "CREATE OR REPLACE FUNCTION ledger_take_checkpoints() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS %s",
        [source],
    )
    pair = (Leg("position", ltc(1)), Leg("capital", -ltc(1)))
    commit(entry("first", *pair))

    def slow():
        with transaction.atomic():
            post_entries([entry("slow", *pair)])
            time.sleep(0.9)

    def fast():
        time.sleep(0.3)
        commit(entry("fast", *pair))
        take_checkpoints()

    run_together(slow, fast)
    assert get_balance(kind="position", asset=LTC) == ltc(2)  # three were posted
    assert "checkpoint of account" in "\n".join(find_imbalances())


@pytest.mark.slow
def test_a_held_balance_row_is_waited_for_three_seconds():
    commit(fund("f", ltc(10)))

    def hold():
        with transaction.atomic():
            post_entries([_spend("a", ltc(1))])
            time.sleep(4.5)

    def wait():
        time.sleep(0.5)
        commit(_spend("b", ltc(1)))

    held, waited = run_together(hold, wait)
    assert held is None
    assert isinstance(waited, OperationalError)
    assert get_floor_balance(kind="chain:spendable", asset=LTC) == ltc(9)
    assert connection.in_atomic_block is False
