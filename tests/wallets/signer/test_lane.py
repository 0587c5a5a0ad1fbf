"""wallets.signer.lane: how a stuck nonce is outbid, in wei per gas, up to the payout's cap and then at the house's own cost."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from core.models import Asset
from tests.wallets.signer.rows import NOW, make_attempt, make_payout, raw_numbered
from wallets import states
from wallets.addresses import house_text
from wallets.chains.signing import read_signed_evm
from wallets.models import NonceHold, Payout
from wallets.signer.advice import Advice
from wallets.signer.keys import SignerRefused
from wallets.signer.lane import find_head, raise_gas, self_transfer_cap

GWEI = 10**9
GAS = 30_000  # of the payout: its target is a contract


@pytest.fixture(autouse=True)
def _site(db: None, keys: None) -> Iterator[None]:
    yield


@dataclass
class Bid:
    """What an outbid says: the most and the tip per gas, in gwei, and whom it pays."""

    most: float
    tip: float
    pays: bool


def advise(base: float, tip: float) -> Advice:
    return Advice(
        chain="ethereum",
        chain_id=31337,
        fee_rate_minor=0,
        relay_rate_minor=0,
        base_minor=int(base * GWEI),
        priority_minor=int(tip * GWEI),
        gas=0,
        first_nonce=0,
        balance_minor=0,
        in_mempool=(),
        at_iso=NOW.isoformat(),
    )


def outbid(payout: Payout, base: float, tip: float, *, last_pays: bool = True, nonce: int = 7) -> Bid | str:
    last = make_attempt(payout, raw_numbered(nonce, max_fee=80 * GWEI, priority=8 * GWEI, gas=GAS), pays=last_pays)
    try:
        signed, pays = raise_gas(payout, last, advise(base, tip))
    except SignerRefused as refusal:
        return refusal.code
    said = read_signed_evm(signed.raw)
    assert (said.nonce, said.chain_id, signed.rate_minor) == (7, 31337, said.max_fee)
    if pays:
        assert (said.to, said.value, said.gas) == (payout.address.lower(), payout.amount_minor, GAS)
    else:
        assert (said.to, said.value, said.gas) == (house_text("ethereum").lower(), 0, 21_000)
    assert signed.fee_minor == said.gas * said.max_fee
    return Bid(said.max_fee / GWEI, said.priority / GWEI, pays)


def head(cap_gwei: float, nonce: int = 7) -> Payout:
    """A payout whose cap is so much per gas, at the head of the lane."""
    payout = make_payout("ethereum", fee_cap_minor=int(cap_gwei * GWEI) * GAS)
    NonceHold.objects.create(chain="ethereum", sender="0x1", nonce=nonce, payout=payout)
    return payout


# The last bid was 80 with a tip of 8; an eighth more is 90 and 9.
# name, cap per gas, base fee, advised tip, what is signed
CASES: list[tuple[str, float, float, float, Bid | str]] = [
    ("a calm chain: an eighth more of both", 1000, 1, 1, Bid(90, 9, pays=True)),
    ("twice the base fee and the tip, just below an eighth more", 1000, 40, 1, Bid(90, 9, pays=True)),
    ("twice the base fee and the tip, at it", 1000, 40.5, 9, Bid(90, 9, pays=True)),
    ("twice the base fee and the tip, above it", 1000, 41, 9, Bid(91, 9, pays=True)),
    ("a higher tip is advised", 1000, 41, 10, Bid(92, 10, pays=True)),
    ("the cap takes what is wanted", 92, 41, 10, Bid(92, 10, pays=True)),
    ("the cap takes less, and yet what the next block asks", 91, 41, 10, Bid(91, 10, pays=True)),
    ("the cap is just what replaces the last bid", 90, 41, 10, Bid(90, 10, pays=True)),
    ("the cap is less than that", 89.9, 41, 10, Bid(92, 10, pays=False)),
    ("the cap is just what the next block asks", 110, 100, 10, Bid(110, 10, pays=True)),
    ("the cap is less than the next block asks", 109.9, 100, 10, Bid(210, 10, pays=False)),
    ("a tip is never above the most", 90, 1, 89, Bid(90, 89, pays=True)),
    ("the house's own cap takes what is wanted", 1, 995, 10, Bid(2000, 10, pays=False)),
    ("the house's own cap takes less", 1, 996, 10, Bid(2000, 10, pays=False)),
    ("the next block asks for the house's own cap", 1, 1990, 10, Bid(2000, 10, pays=False)),
    ("the next block asks for more", 1, 1991, 10, "lane_over_cap"),
]


@pytest.mark.parametrize(("name", "cap", "base", "tip", "wanted"), CASES, ids=[case[0] for case in CASES])
def test_outbidding_the_head_of_the_lane(name: str, cap: float, base: float, tip: float, wanted: Bid | str) -> None:
    assert outbid(head(cap), base, tip) == wanted


@pytest.mark.parametrize(("last", "more"), [(8, 9), (9, 11), (1, 2), (16, 18)])
def test_an_eighth_more_is_rounded_up(last: int, more: int) -> None:
    """Nodes take a replacement from an eighth on, and not a wei below."""
    payout = head(1000)
    attempt = make_attempt(payout, raw_numbered(7, max_fee=last, priority=last, gas=GAS))
    said = read_signed_evm(raise_gas(payout, attempt, advise(0, 0))[0].raw)
    assert (said.max_fee, said.priority) == (more, more)


def test_a_nonce_that_is_being_used_up_is_not_paid_with_again() -> None:
    """Whatever the cap allows: the transfer to ourselves may be mined any moment."""
    assert outbid(head(1000), 1, 1, last_pays=False) == Bid(90, 9, pays=False)


def test_using_a_nonce_up_costs_a_plain_transfer_at_the_highest_fee_that_is_believed() -> None:
    assert self_transfer_cap("ethereum") == 21_000 * 2_000 * GWEI


def test_only_the_head_is_outbid() -> None:
    behind = head(1000)
    front = head(1000, nonce=6)
    assert outbid(behind, 1, 1) == "behind_in_lane"
    NonceHold.objects.filter(payout=front).update(spent_txid="0xother")
    assert outbid_again(behind) == "signed"


def outbid_again(payout: Payout) -> str:
    try:
        raise_gas(payout, payout.attempts.get(), advise(1, 1))
    except SignerRefused as refusal:
        return refusal.code
    return "signed"


def test_a_lane_whose_only_nonce_another_used_has_no_head() -> None:
    payout = head(1000)
    NonceHold.objects.update(spent_txid="0xother")
    assert outbid(payout, 1, 1) == "behind_in_lane"


@pytest.mark.parametrize("nonce", [6, 8])
def test_a_nonce_that_is_free_again_is_not_taken_for_that_of_the_last_attempt(nonce: int) -> None:
    """Both could pay: the payout was signed with another nonce since, so a person decides."""
    assert outbid(head(1000), 1, 1, nonce=nonce) == "nonce_back"


def test_the_head_is_the_lowest_nonce_that_no_block_used() -> None:
    lane = {nonce: head(1000, nonce) for nonce in (9, 7, 8, 6)}
    NonceHold.objects.filter(nonce=6).update(spent_txid="0xother")
    make_attempt(lane[7], raw_numbered(7), block_height=5)
    NonceHold.objects.create(chain="bitcoin", sender="0x1", nonce=1, payout=make_payout(state=states.SIGNED))
    found = find_head("ethereum")
    assert found is not None
    assert (found.nonce, found.payout) == (8, lane[8])
    assert Asset.objects.filter(pk=found.payout.asset_id).exists()
    assert find_head("dogecoin") is None
