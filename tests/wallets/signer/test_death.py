"""wallets.signer.death: what proves that an attempt can never be mined, to the block; silence proves nothing."""

import pytest

from core.models import Asset
from tests.wallets.signer.rows import make_attempt, make_coin, make_payout, raw_numbered, raw_spending, txid_of
from wallets.models import Attempt, Coin, NonceHold
from wallets.signer.death import _DEEPEST_LINEAGE, final_height, find_killer, list_alive

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("accounts")]
FINAL = 100  # the highest block that is deep enough
OTHER = txid_of("other")


@pytest.mark.parametrize(
    ("required", "height", "final"),
    [(1, 100, 100), (2, 100, 99), (6, 100, 95), (6, 5, 0), (6, 4, -1)],
)
def test_a_block_is_final_when_so_many_stand_from_it_to_the_tip(settings, required: int, height: int, final: int):
    settings.SITE_MODE = "live"
    assert final_height(Asset(code="LTC", confirmations_required=required), height) == final


def spender_of(*coins: Coin, n: int = 1) -> Attempt:
    return make_attempt(make_payout(), raw_spending(*((coin.txid, coin.vout) for coin in coins)), n)


# what its coin's row says: spent by, in block, void by, in block; and whether that proves the attempt dead
COINS: list[tuple[str, dict[str, object], str]] = [
    ("nothing", {}, ""),
    ("spent by another, final", {"spent_txid": OTHER, "spent_height": FINAL}, OTHER),
    ("spent by another, one block short", {"spent_txid": OTHER, "spent_height": FINAL + 1}, ""),
    ("void, final", {"void_txid": OTHER, "void_height": FINAL}, OTHER),
    ("void, one block short", {"void_txid": OTHER, "void_height": FINAL + 1}, ""),
    ("void in a block that nobody named", {"void_txid": OTHER, "void_height": None}, ""),
    ("not void, whatever the height says", {"void_txid": "", "void_height": FINAL}, ""),
]


@pytest.mark.parametrize(("name", "said", "killer"), COINS, ids=[case[0] for case in COINS])
def test_a_coin_that_another_took_kills_what_spends_it(name: str, said: dict[str, object], killer: str) -> None:
    coin = make_coin("coin", **said)
    assert find_killer(spender_of(coin), final=FINAL) == killer


def test_a_coin_that_the_attempt_itself_spent_does_not_kill_it() -> None:
    coin = make_coin("coin")
    attempt = spender_of(coin)
    Coin.objects.update(spent_txid=attempt.txid, spent_height=FINAL)
    assert find_killer(attempt, final=FINAL) == ""


def test_a_mined_attempt_is_not_dead_whatever_became_of_its_coins() -> None:
    attempt = spender_of(make_coin("coin", spent_txid=OTHER, spent_height=FINAL))
    attempt.block_height = 1
    assert find_killer(attempt, final=FINAL) == ""


def test_one_of_several_inputs_is_enough_and_another_output_of_the_same_transaction_is_not() -> None:
    free, gone = make_coin("free"), make_coin("gone", spent_txid=OTHER, spent_height=FINAL)
    sibling = make_coin("free", vout=1, spent_txid=OTHER, spent_height=FINAL)
    assert find_killer(spender_of(free, gone), final=FINAL) == OTHER
    assert find_killer(spender_of(free), final=FINAL) == ""
    assert sibling.txid == free.txid


def test_change_of_a_dead_attempt_never_comes_to_be() -> None:
    """However long the line of unmined change is that nodes hold."""
    coin = make_coin("first", spent_txid=OTHER, spent_height=FINAL)
    attempt = spender_of(coin)
    for _ in range(3):
        attempt = spender_of(make_coin("", txid=attempt.txid, attempt=attempt))
    assert find_killer(attempt, final=FINAL) == OTHER
    assert find_killer(attempt, final=FINAL - 1) == ""


@pytest.mark.parametrize(
    ("begun_at", "killer"), [(_DEEPEST_LINEAGE, OTHER), (_DEEPEST_LINEAGE + 1, "")], ids=["at it", "one above"]
)
def test_a_lineage_is_followed_so_far_and_no_further(begun_at: int, killer: str) -> None:
    attempt = spender_of(make_coin("coin", spent_txid=OTHER, spent_height=FINAL))
    assert find_killer(attempt, final=FINAL, lineage=begun_at) == killer


def test_each_generation_counts_once() -> None:
    parent = spender_of(make_coin("coin", spent_txid=OTHER, spent_height=FINAL))
    child = spender_of(make_coin("", txid=parent.txid, attempt=parent))
    assert find_killer(child, final=FINAL, lineage=_DEEPEST_LINEAGE - 1) == OTHER
    assert find_killer(child, final=FINAL, lineage=_DEEPEST_LINEAGE) == ""


# nonce of the hold, who spent it, in which block; the attempt has nonce 7
NONCES = [
    (7, OTHER, FINAL, OTHER),
    (7, OTHER, FINAL + 1, ""),
    (7, "", FINAL, ""),
    (6, OTHER, FINAL, ""),
    (8, OTHER, FINAL, ""),
]


@pytest.mark.parametrize(("nonce", "spender", "height", "killer"), NONCES)
def test_a_nonce_that_another_used_kills_what_has_it(nonce: int, spender: str, height: int, killer: str) -> None:
    payout = make_payout("ethereum")
    attempt = make_attempt(payout, raw_numbered(7))
    NonceHold.objects.create(
        chain="ethereum", sender="0x1", nonce=nonce, payout=payout, spent_txid=spender, spent_height=height
    )
    assert find_killer(attempt, final=FINAL) == killer


def test_a_payout_is_alive_while_one_of_its_attempts_is() -> None:
    payout = make_payout()
    gone, free = make_coin("gone", spent_txid=OTHER, spent_height=FINAL), make_coin("free")
    make_attempt(payout, raw_spending((gone.txid, 0)), 1)
    second = make_attempt(payout, raw_spending((free.txid, 0)), 2)
    assert list_alive(payout.pk, final=FINAL) == [second.txid]
    Coin.objects.filter(pk=free.pk).update(spent_txid=OTHER, spent_height=FINAL)
    assert list_alive(payout.pk, final=FINAL) == []
