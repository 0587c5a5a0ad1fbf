"""Payments out of MWEB: seen unmined under one id and mined under another, they keep their first sight."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from core import clock
from tests.addresses import take_address
from wallets import states
from wallets.chains.fake import FakeChain
from wallets.models import Deposit, PegoutSight, Quarantine
from wallets.reading.pegouts import GONE_AFTER
from wallets.scan import scan_chain

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("roomy", "accounts")]
START = clock.now()
LATER = START + timedelta(minutes=10)
COIN = 10**8


@pytest.fixture
def chain() -> FakeChain:
    chain = FakeChain("litecoin", now=lambda: LATER)
    chain.mine(3)
    scan(chain, START)
    return chain


def scan(chain: FakeChain, at: datetime) -> None:
    assert not scan_chain(node=chain, at=at, known_mempool=set()).problem


def address_of(order: str = "O1") -> str:
    return take_address(chain="litecoin", owner_ref=order, at=START).address


def test_a_mined_pegout_has_the_sight_and_the_id_of_its_own_transaction(chain) -> None:
    txid = chain.peg_out(address_of(), COIN)
    scan(chain, START)
    assert not Deposit.objects.exists()

    chain.mine()
    scan(chain, LATER)

    deposit = Deposit.objects.get()
    assert (deposit.first_seen_at, deposit.sight_counts, deposit.paid_by_txid) == (START, True, txid)
    assert (deposit.txid != txid, deposit.mature_height) == (True, deposit.block_height + 6)
    assert PegoutSight.objects.get().deposit == deposit


@pytest.mark.parametrize(("above", "counts"), [(-1, False), (0, True), (1, True)])
def test_its_sight_counts_from_the_advised_rate_on(chain, above: int, counts: bool) -> None:
    chain.peg_out(address_of(), COIN, rate=chain.fees.sight_minor + above)
    scan(chain, START)
    chain.mine()
    scan(chain, LATER)

    deposit = Deposit.objects.get()
    assert (deposit.first_seen_at, deposit.sight_counts) == (START, counts)


@pytest.mark.parametrize("extra", [-1, 1])
def test_another_amount_is_another_payment(chain, extra: int) -> None:
    address = address_of()
    chain.peg_out(address, COIN)
    scan(chain, START)
    chain.drop(chain.list_mempool()[0])
    chain.peg_out(address, COIN + extra)
    chain.mine()
    scan(chain, LATER)

    deposit = Deposit.objects.get()
    assert (deposit.first_seen_at, deposit.paid_by_txid) == (LATER, "")
    assert PegoutSight.objects.get().deposit is None


def test_the_same_amount_to_another_order_is_another_payment(chain) -> None:
    chain.peg_out(address_of("O1"), COIN)
    scan(chain, START)
    chain.drop(chain.list_mempool()[0])
    chain.peg_out(address_of("O2"), COIN)
    chain.mine()
    scan(chain, LATER)

    assert (Deposit.objects.get().first_seen_at, Deposit.objects.get().paid_by_txid) == (LATER, "")


def test_an_ordinary_payment_of_the_same_amount_is_not_taken_for_it(chain) -> None:
    address = address_of()
    chain.peg_out(address, COIN)
    scan(chain, START)
    chain.drop(chain.list_mempool()[0])
    chain.send(address, COIN)
    chain.mine()
    scan(chain, LATER)

    assert (Deposit.objects.get().first_seen_at, Deposit.objects.get().paid_by_txid) == (LATER, "")


def test_of_two_alike_the_earliest_sight_is_taken_first_and_none_twice(chain) -> None:
    address = address_of()
    first = chain.peg_out(address, COIN)
    scan(chain, START)
    waiting, chain.pegouts = chain.pegouts, {}
    second = chain.peg_out(address, COIN)
    chain.pegouts |= waiting
    scan(chain, START + timedelta(seconds=30))
    chain.peg_out(address, COIN)  # mined before it was ever seen
    chain.mine()
    scan(chain, LATER)

    got = list(Deposit.objects.order_by("first_seen_at").values_list("first_seen_at", "paid_by_txid"))
    assert got == [(START, first), (START + timedelta(seconds=30), second), (LATER, "")]


@pytest.mark.parametrize(("beyond", "taken"), [(-1, True), (0, False), (1, False)])
def test_what_vanished_lends_its_sight_to_nothing_that_is_mined_long_after(chain, beyond: int, taken: bool) -> None:
    address = address_of()
    first = chain.peg_out(address, COIN)
    scan(chain, START)
    chain.drop(first)
    scan(chain, START + timedelta(seconds=10))
    scan(chain, START + timedelta(seconds=10 + beyond) + GONE_AFTER)
    chain.peg_out(address, COIN)
    chain.mine()
    scan(chain, LATER)

    expected = (START, True, first) if taken else (LATER, True, "")
    deposit = Deposit.objects.get()
    assert (deposit.first_seen_at, deposit.sight_counts, deposit.paid_by_txid) == expected


def test_one_that_left_the_mempool_for_a_block_we_read_late_keeps_its_sight(chain) -> None:
    """Its block was mined between the scan's look at the tip and at the mempool; then nobody scanned for an hour."""
    txid = chain.peg_out(address_of(), COIN)
    scan(chain, START)
    waiting, chain.pegouts = chain.pegouts, {}
    scan(chain, START + timedelta(seconds=10))
    assert PegoutSight.objects.get().missing_since == START + timedelta(seconds=10)
    chain.pegouts = waiting
    chain.mine()
    scan(chain, START + timedelta(hours=1))

    assert (Deposit.objects.get().first_seen_at, Deposit.objects.get().paid_by_txid) == (START, txid)


@pytest.mark.parametrize("gone", [False, True])
def test_one_that_comes_back_is_the_same_payment(chain, gone: bool) -> None:
    txid = chain.peg_out(address_of(), COIN)
    scan(chain, START)
    waiting, chain.pegouts = chain.pegouts, {}
    scan(chain, START + timedelta(seconds=10))
    if gone:
        scan(chain, START + timedelta(seconds=10) + GONE_AFTER)
    assert PegoutSight.objects.get().gone is gone
    chain.pegouts = waiting
    scan(chain, START + timedelta(minutes=5))

    sight = PegoutSight.objects.get()
    assert (sight.first_seen_at, sight.missing_since, sight.gone) == (START, None, False)
    chain.mine()
    scan(chain, LATER)
    assert Deposit.objects.get().paid_by_txid == txid


@pytest.mark.parametrize("way", ["peg_out", "send"])
def test_what_follows_a_vanished_pegout_is_in_its_place_and_does_not_count(chain, way: str) -> None:
    address = address_of()
    first = chain.peg_out(address, COIN + 1)
    scan(chain, START)
    chain.drop(first)
    getattr(chain, way)(address, COIN)
    scan(chain, START + timedelta(seconds=10))

    if way == "send":
        assert not Deposit.objects.get().sight_counts
    else:
        assert not PegoutSight.objects.get(amount_minor=COIN).counts


@pytest.mark.parametrize("keep", [True, False])
def test_a_reorganisation_brings_it_in_another_carrier_with_the_same_sight(chain, keep: bool) -> None:
    txid = chain.peg_out(address_of(), COIN)
    scan(chain, START)
    chain.mine()
    scan(chain, LATER)
    old = Deposit.objects.get()
    chain.peg_out("rltc1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqmwp9cs", COIN)  # beside a stranger's it has another id
    chain.reorganise(1, keep=keep)
    scan(chain, LATER)

    old.refresh_from_db()
    assert (old.state, old.block_height) == (states.REMOVED, None)
    if not keep:
        assert (PegoutSight.objects.get().deposit, PegoutSight.objects.get().missing_since) == (None, None)
        chain.mine()
        scan(chain, LATER)
    new = Deposit.objects.exclude(pk=old.pk).get()
    assert (new.first_seen_at, new.sight_counts, new.paid_by_txid) == (START, True, txid)
    assert PegoutSight.objects.get().deposit == new


def test_a_reorganisation_that_keeps_the_carrier_keeps_deposit_and_sight_together(chain) -> None:
    address = address_of()
    txid = chain.peg_out(address, COIN)
    scan(chain, START)
    chain.mine()
    scan(chain, LATER)
    chain.reorganise(1)
    scan(chain, LATER)

    deposit = Deposit.objects.get()
    assert (deposit.state, deposit.block_hash, deposit.paid_by_txid) == (states.CONFIRMED, chain.blocks[-2].hash, txid)
    assert PegoutSight.objects.get().deposit == deposit
    chain.peg_out(address, COIN)  # and nothing else has it
    chain.mine()
    scan(chain, LATER)
    assert Deposit.objects.exclude(pk=deposit.pk).get().paid_by_txid == ""


def test_strangers_pegouts_leave_no_row(chain) -> None:
    chain.peg_out("rltc1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqmwp9cs", COIN)
    scan(chain, START)

    assert not PegoutSight.objects.exists()


def test_many_pegouts_are_written_in_one_statement_and_read_without_a_question_of_their_own(
    chain, django_assert_max_num_queries
) -> None:
    address = address_of()
    costs = []
    for number in (2, 2, 40):  # from the second on, earlier ones become final meanwhile
        for _ in range(number):
            chain.peg_out(address, COIN)
        with django_assert_max_num_queries(200) as statements:
            scan(chain, START)
        calls = chain.calls
        chain.mine()
        with django_assert_max_num_queries(200) as mined:
            scan(chain, LATER)
        costs.append((len(statements), len(mined), chain.calls - calls))

    assert Deposit.objects.filter(first_seen_at=START).exclude(paid_by_txid="").count() == 44
    assert costs[1] == costs[2]


def test_what_cannot_be_written_is_set_aside_and_mined_all_the_same(chain) -> None:
    chain.peg_out(address_of(), COIN)
    txid, tx = chain.pegouts.popitem()
    chain.pegouts[txid] = replace(tx, pegouts=(replace(tx.pegouts[0], position="9" * 41),))
    scan(chain, START)
    assert not PegoutSight.objects.exists()

    chain.mine()
    scan(chain, LATER)
    assert Deposit.objects.get().first_seen_at == LATER
    assert Quarantine.objects.get().txid == txid
