"""Outbid ourselves when a payout is not mined: a new attempt that conflicts with every earlier one, within the fee cap.

Same inputs, or same nonce: at most one attempt of a payout can ever confirm.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from core.locks import lock_rows
from wallets import states
from wallets.chains.protocol import Chain, ChainError, FeeQuote
from wallets.coins import size_vb
from wallets.models import ChainState, Coin, CoinHold, NonceHold, Payout
from wallets.sign import store_attempt
from wallets.signer import SignerRefused, has_keys, sign_coins, sign_nonce

MOST_ATTEMPTS = 10


def bump_stuck_payouts(*, node: Chain, at: datetime, limit: int = 20) -> int:
    """Raise the fee of payouts whose latest attempt has waited too long; return how many. Raises nothing of the node's."""
    if not has_keys():
        return 0
    before = at - timedelta(minutes=settings.BUMP_AFTER_MINUTES)
    stuck = Payout.objects.filter(chain=node.code, state=states.BROADCAST, signed_at__lt=before)
    stuck = stuck.exclude(attempts__signed_at__gte=before).exclude(attempts__block_height__isnull=False)
    ids = list(stuck.order_by("pk").values_list("pk", flat=True).distinct()[:limit])
    if not ids:
        return 0
    try:
        fees = node.fee_quote()
        targets = {pk: node.estimate_gas(Payout.objects.get(pk=pk).address) if node.has_nonces else 0 for pk in ids}
    except ChainError:
        return 0  # the scan reports it; the next round tries again
    return sum(_bump(pk, node, fees, targets[pk], at) for pk in ids)


def _bump(payout_id: int, node: Chain, fees: FeeQuote, gas: int, at: datetime) -> bool:
    with transaction.atomic():
        (_lanes, payouts) = lock_rows(
            ChainState.objects.filter(code=node.code),
            Payout.objects.filter(pk=payout_id, state=states.BROADCAST).select_related("asset"),
        )
        if not payouts:
            return False
        payout = payouts[0]
        attempts = list(payout.attempts.order_by("n"))
        if any(a.block_height is not None for a in attempts) or len(attempts) >= MOST_ATTEMPTS:
            return False
        if CoinHold.objects.filter(chain=node.code, txid__in=[a.txid for a in attempts]).exists():
            return False  # another payout builds on our change: replacing it would strand that one
        last = attempts[-1]
        # Nodes want 12.5 % (geth) or one relay fee more (Core); 25 % satisfies both.
        rate = max(last.rate_minor * 125 // 100 + 1, fees.per_unit_minor)
        try:
            signed = _resign(payout, node, rate, gas)
        except SignerRefused as refusal:
            Payout.objects.filter(pk=payout.pk).update(problem=str(refusal)[:300])
            return False
        Coin.objects.filter(attempt__payout=payout).update(usable=False)  # the change of what is being outbid
        store_attempt(payout, signed, n=last.n + 1, at=at)
        return True


def _resign(payout: Payout, node: Chain, rate: int, gas: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
    if node.has_nonces:
        hold = NonceHold.objects.get(payout=payout)
        return sign_nonce(
            chain=payout.chain,
            chain_id=node.chain_id,
            nonce=hold.nonce,
            address=payout.address,
            amount_minor=payout.amount_minor,
            gas=gas,
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
