"""Whatever a block holds, the block is finished, every ordinary deposit in it is there, and what is odd is written down."""

import tracemalloc
from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import LazySettings
from pytest_django import DjangoAssertNumQueries

from core import clock
from core.money import Money
from ledger.post import Leg, NewEntry, post_entry
from tests.addresses import take_address
from tests.nodes import DEEP, FORWARD, NOISY, EthereumNode
from wallets import states
from wallets.chains.fake import FakeChain
from wallets.chains.protocol import Block, ChainError, Movement, TokenMovement, Tx
from wallets.chains.registry import open_chain
from wallets.models import Attempt, ChainState, Coin, Deposit, Quarantine, RawTx, TraceGap
from wallets.reading.match import Sight, match, wanted
from wallets.reading.quarantine import NotInQuarantine, list_open, resolve
from wallets.record import find_raw, record_block
from wallets.scan import ScanReport, scan_chain
from wallets.scan_state import native_asset

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("roomy", "accounts")]
START = clock.now()
COIN = 10**8


def scan(chain, at=START) -> ScanReport:
    report = scan_chain(node=chain, at=at, known_mempool=set())
    assert not report.problem
    return report


def ours(chain: str, order: str) -> str:
    return take_address(chain=chain, owner_ref=order, at=START).address


def opened(code: str) -> FakeChain:
    chain = FakeChain(code, now=lambda: START)
    chain.mine(3)
    scan(chain)
    return chain


def append(chain: FakeChain, *txs: Tx, **facts) -> Block:
    """Put a block on the chain with whatever a test likes in it."""
    chain.mine(1)
    chain.blocks[-1] = replace(chain.blocks[-1], txs=txs, **facts)
    return chain.blocks[-1]


def tx(number: int, *movements: Movement, **facts) -> Tx:
    return Tx(f"{number:064x}", movements, **facts)


def test_what_cannot_be_stored_is_set_aside_and_all_else_is_there() -> None:
    chain = opened("ethereum")
    address, other = ours("ethereum", "O1"), ours("ethereum", "O2")
    too_much = tx(1, Movement("native", address, 10**38), Movement("t0", address, 5))
    many = tx(2, *(Movement(f"t{number}", other, number + 1) for number in range(450)))
    odd = tx(3, *(Movement("0", text, 5) for text in ("\x00", "\ud800", "x" * 10**5, "ещё", "")))
    long = tx(4, Movement("t" + "0." * 300, address, 7))
    append(chain, too_much, many, odd, long, tx(5, Movement("native", other, 9)))

    for _ in range(2):
        scan(chain)

    assert ChainState.objects.get().height == 4
    assert Deposit.objects.filter(txid=many.txid).count() == 450
    kept = Deposit.objects.exclude(txid=many.txid).order_by("txid").values_list("txid", "amount_minor")
    assert list(kept) == [(too_much.txid, 5), (f"{5:064x}", 9)]
    rows = [(row.what, row.txid, row.owner_ref, row.block_height) for row in list_open(chain="ethereum")]
    assert rows == [("movement", too_much.txid, "O1", 4), ("movement", long.txid, "O1", 4)]
    assert str(10**38) in Quarantine.objects.get(txid=too_much.txid).facts


@pytest.mark.parametrize(("minor", "stored"), [(10**38 - 1, True), (10**38, False)])
def test_the_largest_amount_that_a_row_holds(minor: int, stored: bool) -> None:
    chain = opened("ethereum")
    append(chain, tx(1, Movement("native", ours("ethereum", "O1"), minor)))
    scan(chain)

    assert Deposit.objects.exists() is stored
    assert bool(list_open()) is not stored


def test_a_transaction_that_makes_no_sense_and_a_token_are_told_and_credit_nothing() -> None:
    chain = opened("ethereum")
    address = ours("ethereum", "O1")
    tokens = (
        TokenMovement("0xaa", 3, "0xc0ffee", address, 10**30),
        TokenMovement("0xaa", 4, "0xc0ffee", "0x" + "11" * 20, 5),
    )
    append(chain, unread=(("0xbb", "KeyError('vout')"),), tokens=tokens)

    scan(chain)

    first, second = list_open()
    assert (first.what, first.txid, first.problem) == ("transaction", "0xbb", "KeyError('vout')")
    assert (second.what, second.txid, second.position, second.owner_ref) == ("token", "0xaa", "3", "O1")
    assert "0xc0ffee" in second.problem
    assert str(10**30) in second.facts
    assert not Deposit.objects.exists()


@pytest.mark.parametrize("amount", [2**256 - 1, 2**256, 16**4000], ids=["most", "over", "4817 digits"])
def test_a_token_whose_contract_tells_of_any_number_is_set_aside(amount: int) -> None:
    chain = opened("ethereum")
    append(chain, tokens=(TokenMovement("0xaa", 3, "0xc0ffee", ours("ethereum", "O1"), amount),))

    scan(chain)

    assert str(2**256 - 1) in Quarantine.objects.get().facts
    assert ChainState.objects.get().height == chain.tip().height


def test_a_transaction_that_tells_of_tokens_a_thousand_times_is_one_row_for_each_address(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    chain = opened("ethereum")
    to = [ours("ethereum", "O1"), ours("ethereum", "O2")]
    tokens = tuple(TokenMovement("0xaa", place, f"0x{place:040x}", to[place % 2], 5) for place in range(2000))
    block = append(chain, tokens=tokens)

    with django_assert_max_num_queries(40):
        record_block(chain="ethereum", block=block, identity="", at=START)

    rows = [(row.owner_ref, row.position, row.facts) for row in list_open()]
    assert rows == [
        ("O1", "0", f"5 units to {to[0]}, and 999 more"),
        ("O2", "1", f"5 units to {to[1]}, and 999 more"),
    ]


def test_a_person_resolves_what_was_set_aside_once_and_it_does_not_come_back() -> None:
    chain = opened("ethereum")
    block = append(chain, unread=(("0xbb", "odd"),))
    scan(chain)
    (row,) = list_open()

    resolve(number=row.pk, because="looked at it", by="alice", at=START)
    chain.blocks[-1] = replace(block, hash="0x" + "77" * 32)
    chain.mine(1)
    scan(chain)

    assert list_open() == []
    assert Quarantine.objects.get().resolved_by == "alice"
    with pytest.raises(NotInQuarantine):
        resolve(number=row.pk, because="again", by="alice", at=START)


def test_one_deposit_that_cannot_be_booked_stops_no_other_and_is_tried_with_every_block() -> None:
    chain = opened("litecoin")
    poisoned, healthy = chain.send(ours("litecoin", "O1"), COIN), chain.send(ours("litecoin", "O2"), 2 * COIN)
    chain.mine(1)
    scan(chain)
    row = Deposit.objects.get(txid=poisoned)
    money = Money(1, native_asset("litecoin"))
    legs = (Leg("chain:spendable", money), Leg("capital", -money))
    post_entry(NewEntry(f"deposit:{row.pk}", "capital", START, legs))  # the reference is taken
    chain.mine(3)

    scan(chain)

    assert ChainState.objects.get().height == chain.tip().height
    assert Deposit.objects.get(txid=healthy).state == states.CONFIRMED
    assert Coin.objects.get().txid == healthy
    assert Deposit.objects.get(txid=poisoned).state == states.SEEN
    (aside,) = list_open()
    assert (aside.what, aside.txid) == (Quarantine.OWN, poisoned)


def test_bytes_are_stored_once_however_many_outputs_pay_us_and_sent_again_after_a_reorganisation() -> None:
    chain = opened("litecoin")
    address = ours("litecoin", "O1")
    outputs = [Movement(str(number), address, 1000 + number) for number in range(300)]
    block = append(chain, tx(1, *outputs, raw="ab" * 5000))
    chain.mine(5)
    scan(chain)
    assert Deposit.objects.filter(state=states.CONFIRMED).count() == 300
    assert (RawTx.objects.count(), Deposit.objects.exclude(raw="").count()) == (1, 0)
    assert find_raw(chain="litecoin", txid=f"{1:064x}") == "ab" * 5000

    sent = []
    chain.blocks = chain.blocks[: block.height]
    chain.mine(7)
    chain.broadcast = sent.append  # type: ignore[method-assign]
    scan(chain)

    assert sent == ["ab" * 5000]
    assert Deposit.objects.filter(state=states.REMOVED).count() == 300


def peak_of(outputs: int) -> int:
    """Return the most memory that recording a block takes whose one transaction pays us so many times."""
    chain = "litecoin"
    address = ours(chain, f"O{outputs}")
    state = ChainState.objects.get(code=chain)
    height = state.height + 1
    paying = Tx(
        f"{outputs:064x}", tuple(Movement(str(n), address, 1000) for n in range(outputs)), raw="ab" * 31 * outputs
    )
    block = Block(height, f"{outputs:064x}", state.block_hash, START, (paying,))
    tracemalloc.start()
    try:
        assert record_block(chain=chain, block=block, identity="x", at=START)
        for step in range(5):
            block = Block(height + 1 + step, f"{outputs}:{step}", block.hash, START, ())
            assert record_block(chain=chain, block=block, identity="x", at=START)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_grows_no_faster_than_the_block() -> None:
    opened("litecoin")
    peak_of(10)  # what is loaded once
    few, many = peak_of(100), peak_of(2500)

    assert Deposit.objects.filter(state=states.CONFIRMED).count() == 2610
    assert many < 25 * few
    assert many < 60 * 2**20


def test_our_own_payments_are_not_deposits_in_a_hostile_block_either() -> None:
    chain = opened("litecoin")
    address = ours("litecoin", "O1")
    assert not Attempt.objects.exists()
    paid = tx(1, Movement("0", address, 5))
    match([paid, paid], Sight("litecoin", START), wanted("litecoin", [paid]))

    assert Deposit.objects.count() == 1
    assert chain.code == "litecoin"


# --- what contracts pay ---------------------------------------------------------------------------------------------


def test_a_block_whose_traces_cannot_be_had_is_finished_and_made_whole_later() -> None:
    chain = opened("ethereum")
    hidden = chain.send_internal(ours("ethereum", "O1"), 7)
    seen = chain.send_internal(ours("ethereum", "O2"), 8)
    chain.untraceable = {hidden}
    chain.mine(1)
    scan(chain)

    assert ChainState.objects.get().height == 4
    assert Deposit.objects.get().txid == seen
    (gap,) = TraceGap.objects.all()
    assert (gap.first_height, gap.last_height, gap.whole) == (4, 4, False)
    (row,) = list_open()
    assert (row.what, row.position, row.block_height, row.facts) == ("traces", "block 4", 4, hidden)

    scan(chain, START + timedelta(minutes=1))  # still nothing: put off, and for longer each time
    gap.refresh_from_db()
    assert (gap.tries, gap.next_try_at) == (1, START + timedelta(minutes=2))
    chain.untraceable = set()
    scan(chain, START + timedelta(minutes=1, seconds=59))
    assert not Deposit.objects.filter(txid=hidden).exists()
    scan(chain, START + timedelta(minutes=2))

    found = Deposit.objects.get(txid=hidden)
    assert (found.block_height, found.mined_at, found.amount_minor) == (4, chain.blocks[4].at, 7)
    assert not TraceGap.objects.exists()
    assert Quarantine.objects.get().resolved_by == "machine"
    chain.mine(12)
    scan(chain, START + timedelta(minutes=3))
    assert Deposit.objects.get(txid=hidden).state == states.CONFIRMED


def test_a_node_without_traces_is_one_growing_gap_that_is_read_when_it_has_some(settings: LazySettings) -> None:
    chain = opened("ethereum")
    chain.sees_internal = False
    first = chain.send_internal(ours("ethereum", "O1"), 7)
    chain.mine(13)
    last = chain.send_internal(ours("ethereum", "O2"), 8)
    chain.mine(1)
    scan(chain)

    assert not Deposit.objects.exists()
    assert not ChainState.objects.get().sees_internal
    assert list(TraceGap.objects.values_list("first_height", "last_height", "whole")) == [(4, 17, True)]
    assert list_open() == []  # an operator's choice of node is no case for each block; the chain says it

    chain.sees_internal = True
    chain.mine(1)
    scan(chain, START + timedelta(minutes=1))
    assert ChainState.objects.get().sees_internal
    assert list(TraceGap.objects.values_list("first_height", "last_height")) == [(14, 17)]  # ten blocks in a turn
    assert Deposit.objects.get().txid == first
    scan(chain, START + timedelta(minutes=1))
    assert not TraceGap.objects.exists()
    assert Deposit.objects.filter(txid=last).exists()


def test_gaps_above_a_fork_are_forgotten_with_their_blocks() -> None:
    chain = opened("ethereum")
    chain.sees_internal = False
    chain.mine(6)
    scan(chain)
    assert list(TraceGap.objects.values_list("first_height", "last_height")) == [(4, 9)]

    chain.sees_internal = True
    chain.reorganise(4)
    scan(chain)

    assert list(TraceGap.objects.values_list("first_height", "last_height")) == [(4, 5)]


@pytest.mark.parametrize("trouble", ["down", "gone"])
def test_a_gap_that_cannot_be_read_again_is_nobodys_problem(trouble: str, monkeypatch) -> None:
    chain = opened("ethereum")
    chain.sees_internal = False
    chain.mine(1)
    scan(chain)
    chain.sees_internal = True
    chain.blocks[4] = replace(chain.blocks[4], hash="0xother") if trouble == "gone" else chain.blocks[4]
    monkeypatch.setattr("wallets.scan._undo_reorganisation", lambda *_: 0)

    def read_block(_: str) -> Block:
        raise ChainError("missing trie node")

    if trouble == "down":
        monkeypatch.setattr(chain, "read_block", read_block)

    assert scan(chain, START + timedelta(minutes=1)).finished
    assert TraceGap.objects.count() == 1


# --- on anvil -------------------------------------------------------------------------------------------------------


@pytest.mark.node
def test_on_anvil_a_deep_payment_and_huge_traces_stop_nothing(ethereum_node: EthereumNode, settings) -> None:
    settings.MIN_PEERS = 0
    node = open_chain("ethereum", ethereum_node.url)
    deep, noisy, forward = (ethereum_node.deploy(code) for code in (DEEP, NOISY, FORWARD))
    while scan(node, clock.now()).blocks:
        pass
    address = ours("ethereum", "O1")
    from_deep = ethereum_node.call_contract(deep, address, 10**18, 25)
    ethereum_node.mine(1)
    scan(node, clock.now())

    found = Deposit.objects.get(txid=from_deep)
    assert (found.amount_minor, len(found.position)) == (10**18, 40)

    hostile = ethereum_node.call_contract(noisy, address, 2 * 10**18)
    honest = ethereum_node.call_contract(forward, address, 3 * 10**18)
    ethereum_node.mine(1)
    scan(node, clock.now())

    assert ethereum_node.received(address) == 6 * 10**18
    assert Deposit.objects.get(txid=honest).amount_minor == 3 * 10**18
    assert not Deposit.objects.filter(txid=hostile).exists()
    (row,) = list_open()
    assert (row.what, row.facts) == (Quarantine.TRACES, hostile)
    ethereum_node.mine(1)
    assert scan(node, clock.now()).finished
