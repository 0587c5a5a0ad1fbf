"""Random lives of a few orders: whatever happens in whatever order, the books hold."""

from contextlib import suppress

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.balances import find_imbalances, list_trial_balance, take_checkpoints
from ledger.models import Balance, Entry, Posting
from ledger.post import EntryConflict, InsufficientFunds, Leg, post_entries
from ledger.reserve import release_entry, reserve_entry, settle_entry
from ledger.reverse import reverse_entry
from tests.ledger.books import AT, deposit, entry, eth, fund, ltc

AMOUNTS = st.integers(1, 50)
OWNERS = st.sampled_from(("O1", "O2", "O3"))


def _exchange(number, owner, given_, got):
    return entry(
        f"exchange:{number}",
        Leg("customer", ltc(given_), owner),
        Leg("position", -ltc(given_)),
        Leg("position", eth(got)),
        Leg("customer", -eth(got), owner),
    )


def _payout(number, owner, paid, fee):
    return settle_entry(
        purpose=f"p{number}", reserved=eth(paid + fee + 1), paid=eth(paid), fee=eth(fee), owner=owner, at=AT
    )


EVENTS = st.one_of(
    st.builds(lambda n, amount: fund(f"fund:{n}", eth(amount)), st.integers(0, 3), AMOUNTS),
    st.builds(lambda n, owner, amount: deposit(f"deposit:{n}", ltc(amount), owner), st.integers(0, 5), OWNERS, AMOUNTS),
    st.builds(_exchange, st.integers(0, 5), OWNERS, AMOUNTS, AMOUNTS),
    st.builds(lambda n, amount: reserve_entry(purpose=f"p{n}", amount=eth(amount), at=AT), st.integers(0, 3), AMOUNTS),
    st.builds(_payout, st.integers(0, 3), OWNERS, AMOUNTS, st.integers(0, 3)),
    st.builds(
        lambda n, amount: release_entry(purpose=f"p{n}", reserved=eth(amount), at=AT), st.integers(0, 3), AMOUNTS
    ),
    st.just("checkpoint"),
    st.sampled_from(("deposit:1", "exchange:1", "close:p1", "reserve:p2", "reverse:deposit:1", "reverse:close:p1")),
)


def _happen(event):
    """Let one event happen, or be refused as a whole; return the entry if it stands in the books."""
    with suppress(InsufficientFunds, EntryConflict, Entry.DoesNotExist), transaction.atomic():
        if event == "checkpoint":
            take_checkpoints()
        elif isinstance(event, str):
            reverse_entry(reference=event, reason="test", at=AT)
        else:
            post_entries([event])
            return event
    return None


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, max_size=25))
def test_sums_stay_zero_floors_hold_and_a_replay_changes_nothing(events):
    with transaction.atomic():
        stood = [entry for event in events if (entry := _happen(event))]
        assert find_imbalances() == []
        sums = {}
        for line in list_trial_balance():
            sums[line.asset] = sums.get(line.asset, 0) + line.minor
        assert not any(sums.values())
        for balance in Balance.objects.all():
            assert balance.amount_minor * balance.floor >= 0
        before = Posting.objects.count()
        assert post_entries(stood) == [False] * len(stood)
        assert Posting.objects.count() == before
        transaction.set_rollback(True)
