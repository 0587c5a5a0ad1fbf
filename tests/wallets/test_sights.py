"""Which sight of a payment may bind a rate: the facts that wallets store for orders, on the fake chains."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.conf import LazySettings

from core import clock
from tests.addresses import take_address
from wallets.chains.fake import FakeChain
from wallets.models import Address, ChainState, Deposit, ReadingGap
from wallets.scan import ScanReport, scan_chain
from wallets.scan_state import was_interrupted

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("roomy", "accounts")]
START = clock.now()
COIN = {"litecoin": 10**8, "ethereum": 10**18}


@pytest.fixture
def chain(request: pytest.FixtureRequest) -> FakeChain:
    chain = FakeChain(request.param, now=lambda: START + timedelta(seconds=30))
    chain.mine(3)
    scan(chain, START)
    return chain


both = pytest.mark.parametrize("chain", ["litecoin", "ethereum"], indirect=True)
on_litecoin = pytest.mark.parametrize("chain", ["litecoin"], indirect=True)


def scan(chain: FakeChain, at) -> ScanReport:
    report = scan_chain(node=chain, at=at, known_mempool=set())
    assert not report.problem
    return report


def address_of(chain: FakeChain, order: str) -> str:
    return take_address(chain=chain.code, owner_ref=order, at=START).address


def pay(chain: FakeChain, order: str, **options) -> str:
    return chain.send(address_of(chain, order), COIN[chain.code], **options)


def deposit(txid: str) -> Deposit:
    return Deposit.objects.get(txid=txid)


def first_sight(seen: Deposit) -> datetime | None:
    """Return the earliest moment that the row lets a rate be bound by: a sight that counts, or its block's time."""
    return min(filter(None, (seen.first_seen_at if seen.sight_counts else None, seen.mined_at)), default=None)


@both
@pytest.mark.parametrize(("above", "counts"), [(-1, False), (0, True), (1, True)])
def test_a_sight_counts_from_the_advised_rate_on(chain: FakeChain, above: int, counts: bool) -> None:
    chain.fees = replace(chain.fees, sight_minor=10**10)
    txid = pay(chain, "O1", rate=10**10 + above) if chain.has_nonces else ""
    if not txid:
        chain.fees = replace(chain.fees, sight_minor=20)
        txid = pay(chain, "O1", rate=20 + above)

    scan(chain, START)

    assert deposit(txid).sight_counts is counts
    assert first_sight(deposit(txid)) == (START if counts else None)


@both
def test_a_payment_first_seen_in_a_block_counts_from_its_blocks_time(chain: FakeChain) -> None:
    txid = pay(chain, "O1", rate=chain.fees.sight_minor // 2)
    chain.mine(1)
    later = START + timedelta(minutes=1)

    scan(chain, later)

    assert (deposit(txid).sight_counts, deposit(txid).first_seen_at) == (True, later)
    assert first_sight(deposit(txid)) == chain.blocks[-1].at < later


@on_litecoin
@pytest.mark.parametrize(
    ("dated_s", "mined_s"),
    [(-900, 540), (539, 540), (540, 540), (541, 541), (601, 601), (602, 602), (603, 602), (7200, 602)],
)
def test_a_miner_cannot_date_a_block_before_what_was_read_nor_ahead(
    chain: FakeChain, monkeypatch: pytest.MonkeyPatch, dated_s: int, mined_s: int
) -> None:
    scan(chain, START + timedelta(seconds=600))
    monkeypatch.setattr(chain, "_now", lambda: START + timedelta(seconds=dated_s))
    txid = pay(chain, "O1")
    chain.mine(1)

    scan(chain, START + timedelta(seconds=602))

    assert deposit(txid).mined_at == START + timedelta(seconds=mined_s)


@on_litecoin
def test_a_block_that_nobody_could_have_read_before_counts_from_its_own_time(
    chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "_now", lambda: START + timedelta(seconds=100))
    txid = pay(chain, "O1")
    chain.mine(1)

    scan(chain, START + timedelta(seconds=3600))  # we were away meanwhile

    assert deposit(txid).mined_at == START + timedelta(seconds=100)


@both
def test_a_cheap_payment_counts_from_its_block_alone(chain: FakeChain) -> None:
    txid = pay(chain, "O1", rate=chain.fees.sight_minor // 2)
    scan(chain, START)
    chain.fees = replace(chain.fees, sight_minor=0, sight_priority_minor=0)
    scan(chain, START)
    assert first_sight(deposit(txid)) is None  # fees that fall later make the first sight no better

    chain.mine(1)
    scan(chain, START + timedelta(minutes=1))

    assert first_sight(deposit(txid)) == chain.blocks[-1].at > START


@both
def test_a_replacement_is_a_sight_of_its_own_and_does_not_count(chain: FakeChain) -> None:
    first = pay(chain, "O1")
    scan(chain, START)
    second = chain.replace(first, Address.objects.get().address, COIN[chain.code])
    scan(chain, START + timedelta(minutes=1))

    assert deposit(first).sight_counts
    assert (deposit(second).sight_counts, first_sight(deposit(second))) == (False, None)
    chain.mine(1)
    scan(chain, START + timedelta(minutes=2))
    assert first_sight(deposit(second)) == chain.blocks[-1].at


@both
def test_a_second_payment_beside_the_first_counts_and_so_does_one_to_another_order(chain: FakeChain) -> None:
    first = pay(chain, "O1")
    scan(chain, START)
    beside = chain.send(Address.objects.get().address, COIN[chain.code])
    scan(chain, START)
    chain.replace(first, address_of(chain, "O2"), COIN[chain.code])
    elsewhere = pay(chain, "O3")
    scan(chain, START)

    assert deposit(beside).sight_counts
    assert deposit(elsewhere).sight_counts


@on_litecoin
def test_a_payment_after_one_that_was_mined_counts(chain: FakeChain) -> None:
    pay(chain, "O1")
    chain.mine(1)
    scan(chain, START)
    again = chain.send(Address.objects.get().address, 10**8)
    scan(chain, START)

    assert deposit(again).sight_counts


@on_litecoin
@pytest.mark.parametrize(("beyond", "gap"), [(-1, False), (0, False), (1, True)])
def test_scans_further_apart_than_the_limit_leave_a_gap(chain, beyond: int, gap: bool, settings: LazySettings) -> None:
    later = START + timedelta(seconds=settings.READING_GAP_SECONDS + beyond)

    scan(chain, later)

    assert ReadingGap.objects.filter(chain="litecoin", began_at=START, ended_at=later).exists() is gap
    assert ReadingGap.objects.count() == gap


@on_litecoin
@pytest.mark.parametrize(("seconds", "inside"), [(0, False), (1, True), (300, True), (301, False)])
def test_a_moment_is_inside_a_gap_after_its_beginning_and_until_its_end(chain, seconds: int, inside: bool) -> None:
    scan(chain, START + timedelta(seconds=300))

    assert was_interrupted(chain="litecoin", moment=START + timedelta(seconds=seconds)) is inside
    assert not was_interrupted(chain="ethereum", moment=START + timedelta(seconds=seconds))


@on_litecoin
def test_a_gap_is_known_before_its_blocks_are_and_grows_until_a_scan_finishes(chain, monkeypatch) -> None:
    monkeypatch.setattr("wallets.scan.MEMPOOL_PER_SCAN", 0)
    txid = pay(chain, "O1")
    chain.mine(1)
    pay(chain, "O2")  # keeps the next scans from finishing
    first, second = START + timedelta(minutes=5), START + timedelta(minutes=9)

    assert not scan(chain, first).finished
    assert deposit(txid).mined_at is not None
    assert was_interrupted(chain="litecoin", moment=START + timedelta(minutes=3))
    scan(chain, second)

    assert list(ReadingGap.objects.values_list("began_at", "ended_at")) == [(START, second)]


@on_litecoin
def test_a_node_in_trouble_makes_no_gap_until_it_is_read_again(chain: FakeChain) -> None:
    chain.down = True
    assert scan_chain(node=chain, at=START + timedelta(minutes=5), known_mempool=set()).problem
    assert not ReadingGap.objects.exists()

    chain.down = False
    scan(chain, START + timedelta(minutes=6))

    assert ReadingGap.objects.get().ended_at == START + timedelta(minutes=6)
    assert ChainState.objects.get().scan_started_at == START + timedelta(minutes=6)
