"""A worker's steps, each with a transaction of its own, and none of them anything where there is nothing to do."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection

from orders import choices, credit, expire, payout, promises
from orders.models import Promise
from orders.refund import RefundNotPossible
from tests.orders.conftest import NOW
from tests.orders.rows import SEEN, follow, open_one, pay
from wallets.models import ChainState

NONE = "NONE"  # an order that does not exist
STEPS: list[Callable[[], bool]] = [
    partial(credit.follow_deposit, deposit_id=0, reference=NONE, at=NOW),
    partial(choices.carry_out, choice_id=0, reference=NONE, deposit_id=0, at=NOW),
    partial(choices._wait, NONE, 0, NOW),
    partial(choices._refuse, NONE, 0, RefundNotPossible(), NOW),
    partial(payout.request_order_payout, reference=NONE, at=NOW),
    partial(payout.follow_payout, payout_id=0, reference=NONE, at=NOW),
    partial(promises._lapse, NONE, NOW),
    partial(expire._expire, NONE, NOW),
    partial(expire._escalate, NONE, NOW),
    partial(expire._offer, NONE, NOW),
]


def test_each_step_opens_its_own_transaction_and_says_when_there_was_nothing_to_do(committed_db: None) -> None:
    """Most tests run inside a transaction, where a step that opens none works; a worker's would lock nothing."""
    for step in STEPS:
        assert not connection.in_atomic_block
        assert step() is False, step


# how long after the promise's end the chain was read, and whether the promise is over then
READ = [(timedelta(seconds=-1), False), (timedelta(0), False), (timedelta(microseconds=1), True)]


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(("after", "over"), READ)
@pytest.mark.parametrize("seen", [True, False])
def test_a_promise_lapses_once_its_chain_was_read_past_its_own_end(seen: bool, after: timedelta, over: bool) -> None:
    order = open_one()
    if seen:  # it keeps the coins for twenty minutes more, as long as its rate would bind
        follow(pay(order, state=SEEN, first_seen_at=order.payment_deadline - timedelta(seconds=1)))
    end = Promise.objects.get(order=order).lapses_at
    assert end is not None
    assert (end > order.payment_deadline) is seen
    ChainState.objects.update(scan_started_at=end + after)

    assert promises.lapse_promises(at=end + timedelta(seconds=2)) == int(over)
    assert (Promise.objects.get(order=order).closed_at is not None) is over


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("funded", [True, False])
def test_a_promise_of_an_earlier_release_ends_with_its_orders_deadline_unless_it_is_funded(funded: bool) -> None:
    order = open_one()
    if funded:
        follow(pay(order))
    Promise.objects.filter(order=order).update(lapses_at=None, funded=funded)
    after = order.payment_deadline + timedelta(seconds=2)
    ChainState.objects.update(scan_started_at=order.payment_deadline + timedelta(seconds=1))

    # What is worked out anew gets an end of its own, by which it is closed.
    assert promises.lapse_promises(at=after) == int(not funded)
    assert (Promise.objects.get(order=order).closed_at is None) is funded
