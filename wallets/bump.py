"""The worker's part of outbidding: which payouts no block takes, what the node says now, what the signer answered."""

from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from wallets import states
from wallets.chains.protocol import Chain, ChainError
from wallets.models import Payout
from wallets.paying.advice import gather_advice
from wallets.paying.signing import can_sign, request_signature


def bump_stuck_payouts(*, node: Chain, at: datetime, limit: int = 20) -> int:
    """Raise the fee of payouts whose latest attempt has waited too long; return how many. Raises nothing of the node's."""
    if not can_sign():
        return 0
    before = at - timedelta(minutes=settings.BUMP_AFTER_MINUTES)
    stuck = Payout.objects.filter(chain=node.code, state=states.BROADCAST, signed_at__lt=before)
    stuck = stuck.exclude(attempts__signed_at__gte=before).exclude(attempts__block_height__isnull=False)
    todo = list(stuck.order_by("pk").values_list("pk", "address").distinct()[:limit])
    if not todo:
        return 0
    try:
        advice = gather_advice(node, at=at)
        gas = {address: node.estimate_gas(address) if node.has_nonces else 0 for _, address in todo}
    except ChainError:
        return 0  # the scan reports it; the next round tries again
    done = 0
    for pk, address in todo:
        outcome = request_signature(action="outbid", payout_id=pk, advice=replace(advice, gas=gas[address]))
        done += outcome.signed
        if not outcome.signed:
            with transaction.atomic():
                Payout.objects.filter(pk=pk, state=states.BROADCAST).update(problem=outcome.problem)
    return done
