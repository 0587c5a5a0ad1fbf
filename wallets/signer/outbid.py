"""Outbid ourselves when a payout is not mined: a new attempt that conflicts with every earlier one, within the fee cap.

Same inputs, or same nonce: at most one attempt of a payout can ever confirm.
"""

from django.db import transaction

from core.locks import lock_rows
from wallets import states
from wallets.chains.sizes import size_vb
from wallets.models import ChainState, Coin, CoinHold, NonceHold, Payout
from wallets.signer.advice import Advice, Outcome
from wallets.signer.keys import Signed, SignerRefused, sign_coins, sign_nonce
from wallets.signer.store import store_attempt

MOST_ATTEMPTS = 10


def outbid(payout_id: int, advice: Advice) -> Outcome:
    """Sign the next attempt of an unmined payout at a higher fee, or say why not. Locks the lane and the payout.

    Safe to repeat and to race: the caller decides when it is due, the rows decide whether it may.
    """
    try:
        with transaction.atomic():
            return _outbid(payout_id, advice)
    except SignerRefused as refusal:
        return Outcome(code=refusal.code, words=str(refusal))


def _outbid(payout_id: int, advice: Advice) -> Outcome:
    (_lanes, payouts) = lock_rows(
        ChainState.objects.filter(code=advice.chain),
        Payout.objects.filter(pk=payout_id, chain=advice.chain, state=states.BROADCAST).select_related("asset"),
    )
    if not payouts:
        return Outcome(code="not_sent", words="it is not waiting for a block")
    payout = payouts[0]
    attempts = list(payout.attempts.order_by("n"))
    if any(a.block_height is not None for a in attempts):
        return Outcome(code="mined", words="one of its attempts has been mined")
    if len(attempts) >= MOST_ATTEMPTS:
        return Outcome(code="attempts_used_up", words=f"{MOST_ATTEMPTS} attempts have been signed")
    if CoinHold.objects.filter(chain=advice.chain, txid__in=[a.txid for a in attempts]).exists():
        return Outcome(code="built_upon", words="another payout builds on its change")
    last = attempts[-1]
    # Nodes want 12.5 % (geth) or one relay fee more (Core); 25 % satisfies both.
    rate = max(last.rate_minor * 125 // 100 + 1, advice.fee_rate_minor)
    signed = _resign(payout, advice, rate)
    Coin.objects.filter(attempt__payout=payout).update(usable=False)  # the change of what is being outbid
    return Outcome(attempt_id=store_attempt(payout, signed, n=last.n + 1, at=advice.at).pk)


def _resign(payout: Payout, advice: Advice, rate: int) -> Signed:
    if advice.gas:
        hold = NonceHold.objects.get(payout=payout)
        return sign_nonce(
            chain=payout.chain,
            chain_id=advice.chain_id,
            nonce=hold.nonce,
            address=payout.address,
            amount_minor=payout.amount_minor,
            gas=advice.gas,
            max_fee_minor=rate,
            priority_minor=rate,
            fee_cap_minor=payout.fee_cap_minor,
        )
    outpoints = set(CoinHold.objects.filter(payout=payout).values_list("txid", "vout"))
    candidates = Coin.objects.filter(chain=payout.chain, txid__in=[txid for txid, _ in outpoints])
    coins = [c for c in candidates.select_related("address").order_by("pk") if (c.txid, c.vout) in outpoints]
    return sign_coins(
        chain=payout.chain,
        coins=coins,
        address=payout.address,
        amount_minor=payout.amount_minor,
        fee_minor=size_vb(len(coins), 2) * rate,
        fee_cap_minor=payout.fee_cap_minor,
    )
