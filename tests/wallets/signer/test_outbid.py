"""wallets.signer.outbid: how much more a stuck payment in coins offers, to the unit, and what it may never stop replacing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.models import Asset
from tests.orders.conftest import NOW
from tests.wallets.signer.rows import make_attempt, make_coin, make_payout, raw_numbered, raw_spending, txid_of
from tests.wallets.signer.test_pay import ADVICE, COINS
from wallets import states
from wallets.addresses import house_address, house_text
from wallets.chains.coin_choice import MOST_INPUTS
from wallets.chains.sizes import size_vb
from wallets.models import Attempt, ChainState, Coin, CoinHold, NonceHold, Payout
from wallets.signer.advice import Advice
from wallets.signer.lane import LANE_FREED
from wallets.signer.outbid import outbid

ONE_IN, TWO_IN = size_vb(1, 2), size_vb(2, 2)
AMOUNT = 100_000
BIG = 10**8  # of a coin that pays whatever is asked for


@pytest.fixture(autouse=True)
def _site(db: None, keys: None) -> None:
    ChainState.objects.create(code="litecoin", height=100)
    ChainState.objects.create(code="ethereum", height=100, identity="31337:0xfirst")
    Asset.objects.filter(pk="LTC").update(fee_rate_floor_minor=10)


def sent(*coins: Coin, cap: int = 700_000, rate: int = 40, fee: int | None = None, **fields: Any) -> Payout:
    """Write a payout whose first attempt spends these coins, signed two hours ago."""
    payout = make_payout(amount_minor=AMOUNT, fee_cap_minor=cap, state=fields.pop("state", states.BROADCAST))
    made = raw_spending(*((coin.txid, coin.vout) for coin in coins))
    fee_minor = size_vb(len(coins), 2) * rate if fee is None else fee
    fields.setdefault("signed_at", NOW - timedelta(hours=2))
    make_attempt(payout, made, fee_minor=fee_minor, rate_minor=rate, **fields)
    for coin in coins:
        CoinHold.objects.create(chain=coin.chain, txid=coin.txid, vout=coin.vout, payout=payout)
    return payout


def ask(payout: Payout, *, in_mempool: Sequence[str] = (), **advice: Any) -> str:
    """Ask for an outbid and return the code of the answer, nothing when it was signed."""
    fields = {"fee_rate_minor": 1, "in_mempool": tuple(in_mempool)} | advice
    return outbid(payout.pk, replace(COINS, **fields)).code


def fee_of(payout: Payout) -> int:
    return int(payout.attempts.latest("n").fee_minor)


# rate of the last attempt, advised, the asset's least, what is offered
RATES = [
    (40, 1, 10, 51),  # a quarter more, and one
    (41, 1, 10, 52),
    (44, 1, 10, 56),
    (99, 1, 10, 124),
    (100, 1, 10, 126),
    (40, 51, 10, 51),
    (40, 52, 10, 52),
    (40, 1, 51, 51),
    (40, 1, 52, 52),
]


@pytest.mark.parametrize(("last", "advised", "least", "rate"), RATES)
def test_a_quarter_more_or_what_is_advised_or_the_assets_least(last: int, advised: int, least: int, rate: int) -> None:
    Asset.objects.filter(pk="LTC").update(fee_rate_floor_minor=least)
    payout = sent(make_coin("coin", BIG), rate=last)
    Payout.objects.update(problem="fee_refused: x")
    assert ask(payout, fee_rate_minor=advised) == ""
    assert fee_of(payout) == ONE_IN * rate
    attempt = payout.attempts.latest("n")
    assert (attempt.n, attempt.signed_at, attempt.next_send_at, attempt.pays) == (2, NOW, NOW, True)
    assert attempt.list_inputs() == [(txid_of("coin"), 0)]
    payout.refresh_from_db()
    assert (payout.state, payout.problem) == (states.BROADCAST, "")


# What is replaced paid 40 a virtual byte or a sum of its own; nodes ask for their relay fee of our own size on top.
LEAST = [
    ("the higher rate is more than that", ONE_IN * 40, 1, 700_000, ONE_IN * 51),
    ("and just that", ONE_IN * 50, 1, 700_000, ONE_IN * 51),
    ("what is replaced paid more", ONE_IN * 50 + 1, 1, 700_000, ONE_IN * 51 + 1),
    ("nodes ask for more", ONE_IN * 40, 12, 700_000, ONE_IN * 52),
    ("a node that says nought is asked one", ONE_IN * 51, 0, 700_000, ONE_IN * 52),
    ("the cap is just what is wanted", ONE_IN * 40, 1, ONE_IN * 51, ONE_IN * 51),
    ("the cap is less and still replaces", ONE_IN * 40, 1, ONE_IN * 51 - 1, ONE_IN * 51 - 1),
    ("the cap just replaces", ONE_IN * 40, 1, ONE_IN * 41, ONE_IN * 41),
    ("the cap does not", ONE_IN * 40, 1, ONE_IN * 41 - 1, "fee_over_cap"),
]


@pytest.mark.parametrize(("name", "fee", "relay", "cap", "wanted"), LEAST, ids=[case[0] for case in LEAST])
def test_what_replaces_pays_for_what_is_replaced(name: str, fee: int, relay: int, cap: int, wanted: int | str) -> None:
    payout = sent(make_coin("coin", BIG), cap=cap, fee=fee)
    code = ask(payout, relay_rate_minor=relay)
    if isinstance(wanted, str):
        assert (code, payout.attempts.count()) == (wanted, 1)
        return
    assert (code, fee_of(payout)) == ("", wanted)


@pytest.mark.parametrize(("short", "inputs"), [(0, 1), (1, 2)])
def test_one_more_mined_coin_is_taken_when_its_own_do_not_cover_the_fee(short: int, inputs: int) -> None:
    payout = sent(make_coin("coin", AMOUNT + ONE_IN * 51 - short))
    make_coin("small", 50_000)
    make_coin("large", 60_000)
    unmined = make_attempt(make_payout(), raw_spending((txid_of("x"), 0)))
    make_coin("", 90_000, txid=unmined.txid, attempt=unmined)
    assert ask(payout, in_mempool=[unmined.txid]) == ""
    attempt = payout.attempts.latest("n")
    assert attempt.list_inputs() == [(txid_of("coin"), 0), (txid_of("large"), 0)][:inputs]
    assert CoinHold.objects.filter(payout=payout).count() == inputs
    assert attempt.fee_minor >= size_vb(inputs, 2) * 51


def test_without_a_coin_to_add_it_waits() -> None:
    assert ask(sent(make_coin("coin", AMOUNT + ONE_IN * 51 - 1))) == "coins_short"


@pytest.mark.parametrize(("spare", "code"), [(19, ""), (18, "coins_short")])
def test_as_many_coins_are_added_as_it_takes(spare: int, code: str) -> None:
    """Each pays for its own input and a little of the rest."""
    each = 69 * 51 + 200
    payout = sent(make_coin("coin", AMOUNT + ONE_IN * 51 - 200 * (MOST_INPUTS - 1)))
    for number in range(spare):
        make_coin(f"{number:02}", each)
    assert ask(payout) == code
    assert CoinHold.objects.filter(payout=payout).count() == (MOST_INPUTS if not code else 1)


def test_no_more_inputs_than_fit_one_payment() -> None:
    payout = sent(make_coin("coin", AMOUNT + ONE_IN * 51 - 200 * MOST_INPUTS))
    for number in range(MOST_INPUTS + 1):
        make_coin(f"{number:02}", 69 * 51 + 200)
    assert ask(payout) == "fee_over_cap"
    assert payout.attempts.count() == 1


def parent_and_child(*, age: timedelta = timedelta(hours=2), rate: int = 40) -> tuple[Payout, Payout]:
    """A payout signed so long ago at this rate, and one that spends its unmined change and offers 40."""
    parent = sent(make_coin("coin", BIG), signed_at=NOW - age, rate=rate)
    first = parent.attempts.get()
    change = make_coin("", BIG // 2, txid=first.txid, attempt=first, vout=1)
    return parent, sent(change)


@pytest.mark.parametrize(
    ("age", "code"),
    [
        (timedelta(hours=1) - timedelta(microseconds=1), "child_pays"),
        (timedelta(hours=1), ""),
        (timedelta(hours=1) + timedelta(microseconds=1), ""),
    ],
)
def test_a_child_pays_for_an_hour_then_the_parent_replaces_both(age: timedelta, code: str) -> None:
    parent, child = parent_and_child(age=age)
    both = [parent.attempts.get().txid, child.attempts.get().txid]
    assert ask(parent, in_mempool=both) == code
    if not code:
        # More than the two of them pay, and the relay fee of its own size.
        assert fee_of(parent) == 2 * ONE_IN * 40 + ONE_IN
        assert not Coin.objects.get(vout=1, attempt__n=1, attempt__payout=parent).usable


def test_a_child_that_the_node_does_not_hold_neither_pays_nor_is_replaced() -> None:
    parent, child = parent_and_child(age=timedelta(0))
    Attempt.objects.filter(payout=child).update(sent_at=NOW)
    assert ask(parent, in_mempool=[parent.attempts.get().txid]) == ""
    assert fee_of(parent) == ONE_IN * 51


def test_a_child_that_was_signed_a_moment_ago_counts_where_its_parent_is() -> None:
    parent, child = parent_and_child(age=timedelta(0))
    assert ask(parent, in_mempool=[parent.attempts.get().txid]) == "child_pays"
    assert ask(parent) == ""
    assert child.attempts.count() == 1


def test_grandchildren_are_replaced_too() -> None:
    parent, child = parent_and_child()
    first = child.attempts.get()
    grandchild = sent(make_coin("", BIG // 4, txid=first.txid, attempt=first, vout=1))
    txids = [payout.attempts.get().txid for payout in (parent, child, grandchild)]
    assert ask(parent, in_mempool=txids) == ""
    assert fee_of(parent) == 3 * ONE_IN * 40 + ONE_IN


@pytest.mark.parametrize(
    ("parents_rate", "missing"),
    [(40, 11), (50, 1), (51, 0), (60, 0)],
)
def test_a_child_raises_its_unmined_parent_to_its_own_rate(parents_rate: int, missing: int) -> None:
    parent, child = parent_and_child(rate=parents_rate)
    both = [parent.attempts.get().txid, child.attempts.get().txid]
    assert ask(child, in_mempool=both) == ""
    assert fee_of(child) == ONE_IN * 51 + ONE_IN * missing


def test_a_mined_parent_wants_nothing() -> None:
    parent, child = parent_and_child()
    Attempt.objects.filter(payout=parent).update(block_height=99)
    assert ask(child) == ""
    assert fee_of(child) == ONE_IN * 51


def test_a_child_waits_for_a_parent_that_the_node_does_not_hold() -> None:
    _parent, child = parent_and_child()
    assert ask(child, in_mempool=[child.attempts.get().txid]) == "waits_for_parent"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (states.SIGNED, ""),
        (states.BROADCAST, ""),
        (states.REQUESTED, "not_sent"),
        (states.IN_DOUBT, "not_sent"),
        (states.CONFIRMED, "not_sent"),
        (states.REVERTED, "not_sent"),
    ],
)
def test_only_what_waits_for_a_block_is_outbid(state: str, code: str) -> None:
    assert ask(sent(make_coin("coin", BIG), state=state)) == code


def test_what_is_mined_is_not_outbid_whichever_attempt_it_was() -> None:
    payout = sent(make_coin("coin", BIG), block_height=99)
    make_attempt(payout, raw_spending((txid_of("coin"), 0), pays=999), 2)
    assert ask(payout) == "mined"
    assert ask(make_payout(state=states.BROADCAST)) == "mined"  # nothing was ever signed


def test_another_chains_signer_outbids_nothing() -> None:
    assert ask(sent(make_coin("coin", BIG)), chain="ethereum") == "not_sent"
    assert ask(sent(make_coin("other", BIG)), chain="dogecoin") == "not_sent"


def test_what_was_signed_anew_replaces_back_to_there_and_no_further() -> None:
    """The first attempt died with its coin, and the second was counted against the ceilings as a payment of its own."""
    payout = sent(make_coin("dead", BIG))
    second = make_attempt(payout, raw_spending((txid_of("new"), 0)), 2, rate_minor=40, fee_minor=ONE_IN * 40)
    new = make_coin("new", BIG)
    CoinHold.objects.create(chain="litecoin", txid=new.txid, vout=0, payout=payout)
    assert ask(payout) == ""
    assert payout.attempts.latest("n").list_inputs() == second.list_inputs()


def test_an_outbid_shares_an_input_with_each_attempt_that_it_may_be_mined_beside() -> None:
    """Two inputs, the second of which is gone: what is left conflicts with both attempts."""
    kept, gone = make_coin("kept", BIG), make_coin("gone", BIG, void_txid=txid_of("other"), void_height=1)
    payout = sent(kept)
    make_attempt(payout, raw_spending((kept.txid, 0), (gone.txid, 0)), 2, rate_minor=40, fee_minor=TWO_IN * 40)
    CoinHold.objects.create(chain="litecoin", txid=gone.txid, vout=0, payout=payout)
    assert ask(payout) == ""
    assert payout.attempts.latest("n").list_inputs() == [(kept.txid, 0)]

    other = sent(make_coin("first", BIG))
    CoinHold.objects.create(chain="litecoin", txid=txid_of("second"), vout=0, payout=other)
    make_coin("second", BIG)
    Coin.objects.filter(txid=txid_of("first")).update(void_txid=txid_of("other"), void_height=1)
    both = raw_spending((txid_of("first"), 0), (txid_of("second"), 0))
    make_attempt(other, both, 2, rate_minor=40, fee_minor=TWO_IN * 40)
    assert ask(other) == "no_conflict"


def test_a_forged_target_is_not_outbid_for() -> None:
    payout = make_payout(state=states.BROADCAST, address=house_text("litecoin"))
    make_attempt(payout, raw_spending((txid_of("coin"), 0)))
    assert ask(payout) == "target_is_ours"


@pytest.mark.parametrize(("cap", "pays"), [(100, True), (10, False)])
def test_a_nonce_is_outbid_within_the_cap_or_used_up(cap: int, pays: bool) -> None:
    gwei = 10**9
    house_address(chain="ethereum", at=NOW)
    payout = make_payout("ethereum", state=states.BROADCAST, fee_cap_minor=cap * gwei * 21_000)
    made = raw_numbered(3, max_fee=40 * gwei, priority=gwei)
    make_attempt(payout, made, rate_minor=40 * gwei, fee_minor=40 * gwei * 21_000)
    NonceHold.objects.create(chain="ethereum", sender="0x1", nonce=3, payout=payout)
    advice: Advice = replace(ADVICE, base_minor=gwei, priority_minor=gwei)
    assert outbid(payout.pk, advice).signed
    attempt = payout.attempts.latest("n")
    assert (attempt.n, attempt.pays, attempt.rate_minor) == (2, pays, 45 * gwei)
    payout.refresh_from_db()
    assert payout.problem == ("" if pays else LANE_FREED)
    # And the next one an eighth above that.
    assert outbid(payout.pk, advice).signed
    attempt = payout.attempts.latest("n")
    assert (attempt.n, attempt.rate_minor) == (3, -(-45 * gwei * 9 // 8))
