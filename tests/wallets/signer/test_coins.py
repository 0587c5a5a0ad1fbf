"""wallets.signer.coins: which coins may pay, to the block and to the unit, and what a payout that is over leaves to others."""

import pytest
from django.db import IntegrityError, transaction

from core.assets import get_asset
from tests.wallets.signer.rows import NOW, hold, make_attempt, make_coin, make_payout, raw_spending, txid_of
from wallets import states
from wallets.addresses import house_address
from wallets.chains.coin_choice import MOST_INPUTS
from wallets.chains.sizes import size_vb
from wallets.models import Coin, CoinHold, Deposit
from wallets.signer.coins import CoinsShort, choose_coins, hold_coins, mined_coins
from wallets.signer.keys import SignerRefused

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("accounts")]
TIP = 100
ONE_IN = size_vb(1, 2)  # at a rate of 1 per virtual byte, what a payment of one coin costs
CAP = 10**6


def choose(amount: int, *, cap: int = CAP, rate: int = 1, in_mempool: tuple[str, ...] = ()) -> list[str]:
    """Return the names of the coins that are chosen, or of the refusal."""
    try:
        coins = choose_coins(
            chain="litecoin",
            height=TIP,
            amount_minor=amount,
            fee_cap_minor=cap,
            rate_minor=rate,
            in_mempool=in_mempool,
        )
    except (CoinsShort, SignerRefused) as refusal:
        return [refusal.code]
    return [bytes.fromhex(coin.txid).decode().split("-")[0] for coin in coins]


def coin(name: str, minor: int, **fields: object) -> Coin:
    return make_coin(f"{name}-", minor, **fields)


def test_the_smallest_single_coin_that_suffices_is_taken() -> None:
    for minor in (50_000, 20_000, 30_000):
        coin(f"{minor}", minor)
    assert choose(20_000 - ONE_IN) == ["20000"]
    assert choose(20_000 - ONE_IN + 1) == ["30000"]
    assert choose(50_000 - ONE_IN) == ["50000"]
    # No single one does: as few of the largest as do.
    assert choose(50_000 - ONE_IN + 1) == ["50000", "30000"]
    assert choose(80_000 - size_vb(2, 2)) == ["50000", "30000"]
    assert choose(80_000 - size_vb(2, 2) + 1) == ["50000", "30000", "20000"]
    assert choose(100_000 - size_vb(3, 2)) == ["50000", "30000", "20000"]
    assert choose(100_000 - size_vb(3, 2) + 1) == ["coins_short"]


def test_a_dearer_rate_asks_for_more_coins() -> None:
    coin("20000", 20_000)
    coin("30000", 30_000)
    assert choose(20_000 - 10 * ONE_IN, rate=10) == ["20000"]
    assert choose(20_000 - 10 * ONE_IN + 1, rate=10) == ["30000"]


def test_a_cap_below_one_coin_is_a_refusal_and_not_a_shortage() -> None:
    coin("any", 10**8)
    least = ONE_IN * 1000 + ONE_IN * 1000 // 2 - 1  # the fee, and change that is too small to be one
    assert choose(1000, rate=1000, cap=least) == ["any"]
    assert choose(1000, rate=1000, cap=least - 1) == ["fee_over_cap"]


def test_no_more_coins_than_fit_one_payment() -> None:
    for number in range(MOST_INPUTS + 1):
        coin(f"{number}", 10_000)
    most = MOST_INPUTS * 10_000 - size_vb(MOST_INPUTS, 2)
    assert len(choose(most)) == MOST_INPUTS
    assert choose(most + 1) == ["coins_short"]


def deposit_maturing_at(height: int) -> Deposit:
    return Deposit.objects.create(
        chain="litecoin",
        txid=txid_of("deposit"),
        position="0",
        asset=get_asset("LTC"),
        address=house_address(chain="litecoin", at=NOW),
        amount_minor=5000,
        first_seen_at=NOW,
        mature_height=height,
    )


@pytest.mark.parametrize(("height", "free"), [(0, True), (TIP - 1, True), (TIP, True), (TIP + 1, False)])
def test_a_coin_is_spent_from_the_block_on_at_which_it_is_mature(height: int, free: bool) -> None:
    coin("paid", 5000, deposit=deposit_maturing_at(height))
    assert choose(1000) == (["paid"] if free else ["coins_short"])
    assert mined_coins("litecoin", TIP).exists() is free


@pytest.mark.parametrize(
    ("name", "fields"),
    [("unusable", {"usable": False}), ("spent", {"spent_txid": "ab"}), ("elsewhere", {"chain": "bitcoin"})],
)
def test_what_is_not_there_pays_nothing(name: str, fields: dict[str, object]) -> None:
    coin(name, 5000, **fields)
    assert choose(1000) == ["coins_short"]


@pytest.mark.parametrize(
    ("block", "held_by_node", "free"), [(None, False, False), (None, True, True), (7, False, True), (7, True, True)]
)
def test_change_is_spent_while_it_is_mined_or_in_the_mempool_now(block, held_by_node: bool, free: bool) -> None:
    attempt = make_attempt(make_payout(), raw_spending((txid_of("x"), 0)), block_height=block)
    change = make_coin("", 5000, txid=attempt.txid, attempt=attempt, vout=1)
    in_mempool = (attempt.txid,) if held_by_node else (txid_of("another"),)
    found = list(
        Coin.objects.filter(
            pk__in=[c.pk for c in _chosen(1000, in_mempool)],
        )
    )
    assert found == ([change] if free else [])


def _chosen(amount: int, in_mempool: tuple[str, ...]) -> list[Coin]:
    try:
        return choose_coins(
            chain="litecoin", height=TIP, amount_minor=amount, fee_cap_minor=CAP, rate_minor=1, in_mempool=in_mempool
        )
    except CoinsShort:
        return []


def test_what_is_mined_is_taken_before_change_that_is_not() -> None:
    """Also where the unmined change would fit better."""
    attempt = make_attempt(make_payout(), raw_spending((txid_of("x"), 0)))
    make_coin("", 2000, txid=attempt.txid, attempt=attempt, vout=1)
    mined = [coin("one", 900_000), coin("two", 800_000)]
    assert _chosen(1000, (attempt.txid,)) == [mined[1]]
    assert _chosen(1_000_000, (attempt.txid,)) == mined


HELD = [
    (states.SIGNED, False),
    (states.BROADCAST, False),
    (states.IN_DOUBT, False),
    (states.REQUESTED, True),  # reopened: what it had is free again
    (states.CONFIRMED, True),
    (states.REVERTED, True),
    (states.REJECTED, True),
]


@pytest.mark.parametrize(("state", "free"), HELD)
def test_a_coin_is_held_while_what_was_signed_with_it_may_be_mined(state: str, free: bool) -> None:
    held = coin("held", 5000)
    other, mine = make_payout(state=state), make_payout()
    hold(other, [held])
    assert choose(1000) == (["held"] if free else ["coins_short"])

    if free:
        hold_coins(mine, [held])
        assert CoinHold.objects.get().payout_id == mine.pk
        return
    with pytest.raises(IntegrityError), transaction.atomic():
        hold_coins(mine, [held])
    assert CoinHold.objects.get().payout_id == other.pk


def test_holds_are_of_the_very_output() -> None:
    """Another output of the same transaction, or one on another chain, holds nothing up."""
    first, second = coin("same", 5000, vout=0), coin("same", 6000, vout=1)
    hold(make_payout(), [second], chain="bitcoin")
    assert _chosen(5500, ()) == [second]
    hold(make_payout(), [first])
    assert _chosen(1000, ()) == [second]


def test_all_coins_of_a_payout_are_held() -> None:
    coins, mine = [coin("a", 1), coin("b", 2)], make_payout()
    hold(make_payout(state=states.CONFIRMED), coins[:1])
    hold_coins(mine, coins)
    assert set(CoinHold.objects.filter(payout=mine).values_list("txid", flat=True)) == {c.txid for c in coins}
    assert CoinHold.objects.count() == 2
