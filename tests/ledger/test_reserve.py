import pytest
from django.db import transaction

from ledger.balances import find_imbalances, get_balance, get_floor_balance
from ledger.post import EntryConflict, InsufficientFunds, post_entries, post_entry
from ledger.reserve import release_entry, reserve_entry, settle_entry
from tests.ledger.books import AT, LTC, deposit, fund, ltc

pytestmark = pytest.mark.django_db


def _floors():
    return [get_floor_balance(kind=kind, asset=LTC).minor for kind in ("chain:spendable", "chain:reserved")]


@pytest.fixture
def books():
    post_entries([fund("f", ltc(100)), deposit("d", ltc(60), "O1")])


@pytest.mark.usefixtures("books")
def test_reserved_coins_cannot_be_reserved_again():
    post_entry(reserve_entry(purpose="p", amount=ltc(120), at=AT))
    assert _floors() == [40, 120]
    with pytest.raises(InsufficientFunds), transaction.atomic():
        post_entry(reserve_entry(purpose="q", amount=ltc(41), at=AT))
    assert not post_entry(reserve_entry(purpose="p", amount=ltc(120), at=AT))


@pytest.mark.usefixtures("books")
def test_settling_pays_customer_and_miners_and_returns_the_rest():
    post_entry(reserve_entry(purpose="p", amount=ltc(70), at=AT))
    settle = settle_entry(purpose="p", reserved=ltc(70), paid=ltc(60), fee=ltc(3), owner="O1", at=AT)
    assert [post_entry(settle), post_entry(settle)] == [True, False]
    assert _floors() == [97, 0]
    assert get_floor_balance(kind="customer", asset=LTC, owner="O1") == ltc(0)
    assert get_balance(kind="expense:network", asset=LTC) == ltc(3)
    assert find_imbalances() == []


@pytest.mark.usefixtures("books")
def test_a_fee_above_what_was_reserved_comes_out_of_free_coins():
    post_entry(reserve_entry(purpose="p", amount=ltc(61), at=AT))
    post_entry(settle_entry(purpose="p", reserved=ltc(61), paid=ltc(60), fee=ltc(3), owner="O1", at=AT))
    assert _floors() == [97, 0]


@pytest.mark.usefixtures("books")
def test_a_customer_is_never_settled_more_than_is_owed():
    post_entry(reserve_entry(purpose="p", amount=ltc(70), at=AT))
    with pytest.raises(InsufficientFunds), transaction.atomic():
        post_entry(settle_entry(purpose="p", reserved=ltc(70), paid=ltc(61), fee=ltc(3), owner="O1", at=AT))


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize("released_first", [True, False])
def test_what_was_closed_one_way_is_not_closed_the_other_way(released_first):
    post_entry(reserve_entry(purpose="p", amount=ltc(70), at=AT))
    ways = [
        release_entry(purpose="p", reserved=ltc(70), at=AT),
        settle_entry(purpose="p", reserved=ltc(70), paid=ltc(60), fee=ltc(3), owner="O1", at=AT),
    ]
    first, second = ways if released_first else ways[::-1]
    post_entry(first)
    with pytest.raises(EntryConflict), transaction.atomic():
        post_entry(second)


@pytest.mark.usefixtures("books")
def test_nothing_is_released_that_was_not_reserved():
    with pytest.raises(InsufficientFunds), transaction.atomic():
        post_entry(release_entry(purpose="p", reserved=ltc(1), at=AT))
