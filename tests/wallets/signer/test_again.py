"""wallets.signer.again: which payout may be signed anew, by whom, and that nothing of what was signed before lives on."""

from dataclasses import replace

import pytest

from tests.orders.conftest import NOW
from tests.wallets.signer.rows import make_attempt, make_coin, make_payout, raw_numbered, raw_spending, txid_of
from tests.wallets.signer.test_pay import ADVICE, COINS
from wallets import states
from wallets.models import ChainState, Coin, CoinHold, Evidence, NonceHold, Payout
from wallets.signer.again import reopen

OTHER = txid_of("other")
# Litecoin wants two in the demo: block 99 is final when 100 has been read, block 100 is not.
TIP, FINAL = 100, 99


@pytest.fixture(autouse=True)
def _site(db: None, keys: None) -> None:
    for chain in ("litecoin", "ethereum"):
        ChainState.objects.create(code=chain, height=TIP)


def dead(state: str = states.BROADCAST, *, height: int = FINAL) -> Payout:
    """A payout whose only attempt spends a coin that another transaction took in this block."""
    coin = make_coin("coin", spent_txid=OTHER, spent_height=height)
    payout = make_payout(state=state, signed_at=NOW, tried_at=NOW, problem="fee_refused: x")
    attempt = make_attempt(payout, raw_spending((coin.txid, coin.vout)))
    make_coin("", txid=attempt.txid, attempt=attempt)
    CoinHold.objects.create(chain="litecoin", txid=coin.txid, vout=coin.vout, payout=payout)
    return payout


# state, who asks, whether it is signed anew
WHO = [
    (states.SIGNED, "machine", "reopened"),
    (states.BROADCAST, "machine", "reopened"),
    (states.IN_DOUBT, "machine", "not_open"),  # what took its coins may have paid the debt
    (states.SIGNED, "ann", "reopened"),
    (states.BROADCAST, "ann", "reopened"),
    (states.IN_DOUBT, "ann", "reopened"),
    (states.REQUESTED, "ann", "not_open"),
    (states.CONFIRMED, "ann", "not_open"),
    (states.REVERTED, "ann", "not_open"),
    (states.REJECTED, "ann", "not_open"),
]


@pytest.mark.parametrize(("state", "by", "code"), WHO)
def test_who_may_have_which_payout_signed_anew(state: str, by: str, code: str) -> None:
    payout = dead(state)
    assert reopen(payout.pk, replace(COINS, by=by, because="looked")).code == code
    payout.refresh_from_db()
    assert payout.state == (states.REQUESTED if code == "reopened" else state)
    assert Evidence.objects.filter(payout=payout).exists() is (code == "reopened")


def test_nothing_of_what_was_signed_before_lives_on() -> None:
    payout = dead()
    outcome = reopen(payout.pk, COINS)
    payout.refresh_from_db()
    assert (payout.signed_at, payout.tried_at, payout.news) == (None, None, True)
    assert (payout.problem, outcome.words) == ("reopened: what was signed before can never be mined",) * 2
    attempt = payout.attempts.get()
    assert (attempt.next_send_at, attempt.answer) == (None, "dead")
    assert not Coin.objects.get(attempt=attempt).usable
    assert payout.coin_holds.count() == 1  # for ever: a reorganisation may bring it back
    seen = Evidence.objects.get(payout=payout)
    assert (seen.at, seen.by, seen.code, seen.words) == (NOW, "machine", "reopened", payout.problem)
    assert reopen(payout.pk, COINS).code == "not_open"
    assert Evidence.objects.count() == 1


def test_a_persons_reason_is_kept() -> None:
    payout = dead()
    reopen(payout.pk, replace(COINS, by="ann", because="the customer called"))
    seen = Evidence.objects.get(payout=payout)
    assert (seen.by, seen.words) == ("ann", "the customer called")


@pytest.mark.parametrize(("height", "code"), [(FINAL - 1, "reopened"), (FINAL, "reopened"), (FINAL + 1, "still_alive")])
def test_a_death_counts_from_payout_depth_on(height: int, code: str) -> None:
    assert reopen(dead(height=height).pk, COINS).code == code


def test_one_living_attempt_is_enough() -> None:
    payout = dead()
    free = make_coin("free")
    make_attempt(payout, raw_spending((free.txid, 0)), 2)
    assert reopen(payout.pk, COINS).code == "still_alive"


@pytest.mark.parametrize(("nonce", "code"), [(3, "reopened"), (4, "still_alive")])
def test_a_nonce_that_another_used(nonce: int, code: str) -> None:
    """Three confirmations: block 98 is final."""
    payout = make_payout("ethereum", state=states.BROADCAST)
    make_attempt(payout, raw_numbered(nonce))
    NonceHold.objects.create(chain="ethereum", sender="0x1", nonce=3, payout=payout, spent_txid=OTHER, spent_height=98)
    assert reopen(payout.pk, ADVICE).code == code


@pytest.mark.parametrize("chain", ["ethereum", "dogecoin"])
def test_another_chains_advice_reopens_nothing(chain: str) -> None:
    assert reopen(dead().pk, replace(COINS, chain=chain)).code == "not_open"
