"""wallets.signer.pay: what lets a first signature pass and what holds it back, to the unit, the second and the block."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings

from tests.orders.conftest import NOW
from tests.wallets.signer.conftest import Want
from tests.wallets.signer.rows import make_attempt, make_payout, raw_numbered
from wallets import states
from wallets.addresses import house_text
from wallets.chains.signing import read_signed_evm
from wallets.freeze import freeze, funded_from
from wallets.models import Attempt, ChainState, Coin, CoinHold, Deposit, NonceHold, Payout
from wallets.signer import journal
from wallets.signer.advice import Advice, Outcome
from wallets.signer.pay import sign_payout

GWEI, ETHER = 10**9, 10**18
ADVICE = Advice(
    chain="ethereum",
    chain_id=31337,
    fee_rate_minor=3 * GWEI,
    relay_rate_minor=1,
    base_minor=2 * GWEI,
    priority_minor=GWEI,
    gas=21_000,
    first_nonce=5,
    balance_minor=100 * ETHER,
    in_mempool=(),
    at_iso=NOW.isoformat(),
)
COINS = replace(
    ADVICE, chain="litecoin", fee_rate_minor=50, base_minor=0, priority_minor=0, first_nonce=None, balance_minor=None
)


def sign(payout: Payout, **advice: Any) -> Outcome:
    return sign_payout(payout.pk, replace(ADVICE, **advice))


def test_what_is_signed_is_what_was_asked_for(want: Want) -> None:
    payout = want()
    outcome = sign(payout)
    attempt = Attempt.objects.get()
    assert (outcome.attempt_id, outcome.code) == (attempt.pk, "")
    payout.refresh_from_db()
    assert (payout.state, payout.signed_at, payout.problem) == (states.SIGNED, NOW, "")
    said = read_signed_evm(attempt.raw)
    assert (said.nonce, said.to, said.value) == (5, payout.address.lower(), payout.amount_minor)
    assert (said.gas, said.max_fee, said.priority, said.chain_id) == (21_000, 5 * GWEI, GWEI, 31337)
    assert (attempt.n, attempt.pays, attempt.signed_at, attempt.next_send_at) == (1, True, NOW, NOW)
    assert (attempt.fee_minor, attempt.rate_minor) == (21_000 * 5 * GWEI, 5 * GWEI)
    held = NonceHold.objects.get()
    assert (held.chain, held.sender, held.nonce, held.payout_id) == ("ethereum", house_text("ethereum"), 5, payout.pk)
    (line,) = journal.read_recent("ethereum", at=NOW)
    assert (line.payout, line.minor) == (payout.pk, payout.reserved_minor)
    # Once: a second request finds it done.
    assert sign(payout).code == "not_requested"
    assert Attempt.objects.count() == 1


def test_the_node_is_believed_about_the_nonce_once(want: Want) -> None:
    payouts = [want(), want(), want()]
    for payout, said in zip(payouts, (5, 0, 99), strict=True):
        assert sign(payout, first_nonce=said).signed
    assert list(NonceHold.objects.order_by("nonce").values_list("nonce", "payout")) == [
        (5, payouts[0].pk),
        (6, payouts[1].pk),
        (7, payouts[2].pk),
    ]
    assert ChainState.objects.get(code="ethereum").next_nonce == 8


@pytest.mark.parametrize(("first", "next_nonce", "taken"), [(0, None, 0), (3, 0, 0), (3, 1, 1)])
def test_nonce_nought_is_a_nonce(want: Want, first: int, next_nonce: int | None, taken: int) -> None:
    payout = want()
    ChainState.objects.filter(code="ethereum").update(next_nonce=next_nonce)
    assert sign(payout, first_nonce=first).signed
    assert NonceHold.objects.get().nonce == taken


# name, gas of the target, base fee and tip in gwei, what is offered at the most per gas or the refusal. The cap is 480,000
# gwei in all: 10 for each of 48,000 gas.
GAS_CASES: list[tuple[str, int, float, float, float | str]] = [
    ("twice the base fee and the tip", 48_000, 2, 1, 5),
    ("the cap is exactly that", 48_000, 4.5, 1, 10),
    ("the cap is less, and enough for the next block", 48_000, 5, 1, 10),
    ("the cap is exactly what the next block asks", 48_000, 9, 1, 10),
    ("the cap is less than the next block asks", 48_000, 9.001, 1, "fee_over_cap"),
    ("the dearest payout there is", 60_000, 2, 1, 5),
    ("one gas more", 60_001, 2, 1, "target_costly"),
]


@pytest.mark.parametrize(("name", "gas", "base", "tip", "wanted"), GAS_CASES, ids=[c[0] for c in GAS_CASES])
def test_what_a_payment_offers(want: Want, name: str, gas: int, base: float, tip: float, wanted: float | str) -> None:
    payout = want()
    assert payout.fee_cap_minor == 480_000 * GWEI
    outcome = sign(payout, gas=gas, base_minor=int(base * GWEI), priority_minor=int(tip * GWEI))
    if isinstance(wanted, str):
        assert outcome.code == wanted
        return
    assert read_signed_evm(Attempt.objects.get().raw).max_fee == int(wanted * GWEI)


@pytest.mark.parametrize(("short", "code"), [(-1, ""), (0, ""), (1, "coins_short")])
@pytest.mark.parametrize(
    ("state", "mined", "counts"),
    [
        (states.SIGNED, False, True),
        (states.BROADCAST, False, True),
        (states.BROADCAST, True, False),  # it has left already: the balance is without it
        (states.REQUESTED, False, False),
        (states.CONFIRMED, True, False),
    ],
)
def test_the_sender_must_hold_what_is_signed_beside_what_is_on_its_way(
    want: Want, short: int, code: str, state: str, mined: bool, counts: bool
) -> None:
    payout = want()
    other = make_payout("ethereum", state=state, amount_minor=7 * ETHER, fee_cap_minor=ETHER)
    make_attempt(other, raw_numbered(1), block_height=3 if mined else None)
    needed = payout.amount_minor + 21_000 * 5 * GWEI + (8 * ETHER if counts else 0)
    assert sign(payout, balance_minor=needed - short).code == code


def freeze_scope(scope: str) -> Callable[[Payout], object]:
    return lambda _payout: freeze(scope=scope, reason="x", at=NOW, by="ann")


def read_at(seconds_ago: float) -> Callable[[Payout], object]:
    at = NOW - timedelta(seconds=seconds_ago)
    return lambda _payout: ChainState.objects.filter(code="litecoin").update(scan_started_at=at)


def change_deposit(**fields: Any) -> Callable[[Payout], object]:
    return lambda payout: Deposit.objects.filter(pk__in=payout.funded_by).update(**fields)


HELD_BACK: list[tuple[str, Callable[[Payout], object], str]] = [
    ("nothing", lambda _payout: None, ""),
    ("all is frozen", freeze_scope("ALL"), "frozen"),
    ("its asset is frozen", freeze_scope("ETH"), "frozen"),
    ("what funds it is frozen", freeze_scope(funded_from("LTC")), "frozen"),
    ("the other asset is frozen", freeze_scope("LTC"), ""),
    ("what its own asset funds is frozen", freeze_scope(funded_from("ETH")), ""),
    ("its deposit is only seen", change_deposit(state=states.SEEN), "funding_unconfirmed"),
    ("its deposit was removed", change_deposit(state=states.REMOVED), "funding_unconfirmed"),
    ("the funding chain was read a second ago", read_at(1), ""),
    ("it was read too long ago", read_at(10**4), "funding_chain_unread"),
    ("it has a problem", lambda _p: ChainState.objects.filter(code="litecoin").update(problem="x"), "funding_chain_unread"),
    ("it was signed before, and that may be mined", lambda p: make_attempt(p, raw_numbered(3)), "still_alive"),
    ("it was refused meanwhile", lambda _p: Payout.objects.update(state=states.REJECTED), "not_requested"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "code"), HELD_BACK, ids=[case[0] for case in HELD_BACK])
def test_what_holds_a_signature_back(want: Want, name: str, change: Callable[[Payout], object], code: str) -> None:
    payout = want()
    change(payout)
    outcome = sign(payout)
    assert (outcome.code, outcome.signed) == (code, not code)
    assert journal.read_recent("ethereum", at=NOW) == [] or not code
    assert NonceHold.objects.exists() is (not code)


def test_a_payout_that_names_a_deposit_there_is_not_is_not_signed(want: Want) -> None:
    honest = want()
    forged = make_payout("ethereum", state=states.REQUESTED, funded_by=[*honest.funded_by, 10**9])
    assert sign(forged).code == "funding_unconfirmed"


@pytest.mark.parametrize("chain", ["litecoin", "bitcoin"])
def test_advice_of_another_chain_signs_nothing(want: Want, chain: str) -> None:
    assert sign(want(), chain=chain).code == "not_requested"


@pytest.mark.parametrize(("advised", "floor", "rate"), [(50, 10, 50), (50, 50, 50), (50, 51, 51)])
def test_a_payment_in_coins_offers_what_is_advised_and_the_assets_least(
    want: Want, settings: LazySettings, advised: int, floor: int, rate: int
) -> None:
    payout = want("litecoin")
    type(payout.asset).objects.filter(pk="LTC").update(fee_rate_floor_minor=floor)
    assert sign_payout(payout.pk, replace(COINS, fee_rate_minor=advised)).signed
    attempt, hold = Attempt.objects.get(), CoinHold.objects.get()
    # Version and counts 11, an input 69, two outputs of 43 at the most.
    assert attempt.fee_minor == (11 + 69 + 2 * 43) * rate
    assert hold.payout_id == payout.pk
    spent = Coin.objects.get(txid=hold.txid, vout=hold.vout)
    change = Coin.objects.get(attempt=attempt)
    assert (change.txid, change.vout, change.address.address) == (attempt.txid, 1, house_text("litecoin"))
    assert change.amount_minor == spent.amount_minor - payout.amount_minor - attempt.fee_minor
    assert not NonceHold.objects.exists()


def test_what_was_signed_before_keeps_its_number(want: Want) -> None:
    payout = want()
    dead = make_attempt(payout, raw_numbered(3))
    NonceHold.objects.create(
        chain="ethereum", sender="0x1", nonce=3, payout=payout, spent_txid="0xother", spent_height=1
    )
    assert sign(payout).signed
    assert payout.attempts.get(n=1).txid == dead.txid
    assert payout.attempts.count() == 2
    assert payout.attempts.latest("pk").n == 2
