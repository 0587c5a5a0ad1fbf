"""The worker's part of outbidding: which payouts no block takes, what the node says now, what the signer answered."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from wallets import states
from wallets.chains.protocol import Chain, ChainError
from wallets.models import Attempt, Payout
from wallets.paying.advice import gather_advice
from wallets.paying.signing import can_sign, request_signature

# What no node takes for its fee never stands in a mempool: it need not wait as long as what may be mined any moment.
UNTAKEN_AFTER = timedelta(minutes=2)
# Answers of the signer that say nothing about this payout's own troubles.
_QUIET = ("behind_in_lane", "child_pays", "mined", "not_sent")


def bump_stuck_payouts(*, node: Chain, at: datetime, limit: int = 20) -> int:
    """Raise the fee of payouts whose latest attempt has waited too long, taken by a node or not; return how many.

    Raises nothing of the node's.
    """
    if not can_sign():
        return 0
    todo = list(_stuck(node.code, at).order_by("pk").values_list("pk", flat=True)[:limit])
    if not todo:
        return 0
    try:
        advice = gather_advice(node, at=at)
    except ChainError:
        return 0  # the scan reports it; the next round tries again
    done = 0
    for pk in todo:
        outcome = request_signature(action="outbid", payout_id=pk, advice=advice)
        done += outcome.signed
        if not outcome.signed and outcome.code not in _QUIET:
            with transaction.atomic():
                waiting = Payout.objects.filter(pk=pk, state__in=(states.SIGNED, states.BROADCAST))
                waiting.update(problem=outcome.problem)
    return done


def _stuck(chain: str, at: datetime):  # type: ignore[no-untyped-def]  # noqa: ANN202 -- a queryset with annotations
    before = at - timedelta(minutes=settings.BUMP_AFTER_MINUTES)
    waiting = Payout.objects.filter(chain=chain, state__in=(states.SIGNED, states.BROADCAST))
    waiting = waiting.exclude(attempts__block_height__isnull=False)
    recent = Attempt.objects.filter(chain=chain, signed_at__gte=before).values("payout")
    fresh = Attempt.objects.filter(chain=chain, signed_at__gte=at - UNTAKEN_AFTER).values("payout")
    refused = Q(problem__startswith="fee_refused") & ~Q(pk__in=fresh)
    return waiting.filter(~Q(pk__in=recent) | refused)
