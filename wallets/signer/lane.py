"""The lane of nonces: only its head, the lowest unmined one, is outbid, and at its cap the head is used up by ourselves.

A nonce that stays unmined holds everything behind it. So at the payout's cap the next attempt pays nobody: it moves
nothing, to ourselves, with the same nonce, at the house's cost. Once that is final the debt is asked for again.
"""

from wallets.addresses import house_text
from wallets.chains.fees import FEE_BOUNDS
from wallets.chains.signing import read_signed_evm
from wallets.chains.sizes import PLAIN_GAS
from wallets.models import Attempt, NonceHold, Payout
from wallets.signer.advice import Advice
from wallets.signer.keys import Signed, SignerRefused, sign_nonce

LANE_FREED = "at_fee_cap: its nonce is being used up by a transfer to ourselves, then it is asked for again"


def find_head(chain: str) -> NonceHold | None:
    """Return the lowest nonce that no block has used; None when the lane is empty. One statement."""
    waiting = NonceHold.objects.filter(chain=chain, spent_txid="").exclude(payout__attempts__block_height__isnull=False)
    return waiting.select_related("payout").order_by("nonce").first()


def self_transfer_cap(chain: str) -> int:
    """Return the most that using up one nonce may cost the house: a plain transfer at the highest fee that is believed."""
    return FEE_BOUNDS[chain].most * PLAIN_GAS


def raise_gas(payout: Payout, last: Attempt, advice: Advice) -> tuple[Signed, bool]:
    """Sign the head's next attempt and say whether it pays the payout.

    Both fee fields rise by an eighth at least, or more where the node advises more: the tip to the advised one, the most
    to twice the base fee plus that tip. Its gas stays: a contract that would now take more, or nothing, holds up no lane.

    Raises: SignerRefused (`behind_in_lane`; `lane_over_cap` when even a self-transfer may cost no more; `nonce_back` when
    the head is not the nonce of the last attempt, so that both could pay).
    """
    head = find_head(advice.chain)
    if head is None or head.payout_id != payout.pk:
        raise SignerRefused("a lower nonce is unmined, which has to move first", code="behind_in_lane")
    bid = read_signed_evm(last.raw)
    if bid.nonce != head.nonce:
        words = (
            f"nonce {head.nonce}, which another transaction had used, is free again: this payout also holds {bid.nonce}"
        )
        raise SignerRefused(words, code="nonce_back")
    least = _eighth_more(bid.max_fee)
    tip = max(_eighth_more(bid.priority), advice.priority_minor)
    wanted = max(2 * advice.base_minor + tip, least)
    # What the next block takes, base fee and advised tip, must be affordable, or the head would stand at its cap.
    needed = max(least, advice.base_minor + advice.priority_minor)
    affordable = payout.fee_cap_minor // bid.gas
    if last.pays and needed <= affordable:
        most = min(wanted, affordable)
        return _sign(payout, head, advice, gas=bid.gas, most=most, tip=min(tip, most), pays=True), True
    affordable = self_transfer_cap(advice.chain) // PLAIN_GAS
    if needed > affordable:
        raise SignerRefused(f"using the nonce up would cost over {affordable} per gas", code="lane_over_cap")
    most = min(wanted, affordable)
    return _sign(payout, head, advice, gas=PLAIN_GAS, most=most, tip=min(tip, most), pays=False), False


def _eighth_more(minor: int) -> int:
    return -(-minor * 9 // 8)


def _sign(payout: Payout, head: NonceHold, advice: Advice, *, gas: int, most: int, tip: int, pays: bool) -> Signed:
    return sign_nonce(
        chain=payout.chain,
        chain_id=advice.chain_id,
        nonce=head.nonce,
        address=payout.address if pays else house_text(payout.chain),
        amount_minor=payout.amount_minor if pays else 0,
        gas=gas,
        max_fee_minor=most,
        priority_minor=tip,
        fee_cap_minor=payout.fee_cap_minor if pays else self_transfer_cap(payout.chain),
    )
