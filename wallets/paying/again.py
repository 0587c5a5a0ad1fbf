"""Debts whose payout can never pay them: asked for again, by itself where we know why, by a person elsewhere."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from core.locks import lock_rows
from ledger.post import InsufficientFunds
from wallets import states
from wallets.chains.protocol import Chain, ChainError
from wallets.confirm import NONCE_USED_UP
from wallets.models import Attempt, Payout
from wallets.paying.advice import gather_advice
from wallets.paying.signing import request_signature
from wallets.payouts import PayoutNotRedirectable, redirect_payout
from wallets.signer.evidence import note_evidence


class PayoutCannotBeAskedAgain(DomainError):
    code = "payout_cannot_be_asked_again"
    message = _("This payout cannot be asked for again: %(reason)s.")


def ask_again(*, payout_id: int, at: datetime, by: str, because: str) -> Payout:
    """Ask anew for the debt of a payout that was mined, is final, and moved nothing. Locks the payout; repeat finds it done.

    The new intent is numbered within the debt and reserves its coins anew.

    Raises: PayoutCannotBeAskedAgain, InsufficientFunds (nothing is left of the transaction).
    """
    with transaction.atomic():
        (payouts,) = lock_rows(Payout.objects.filter(pk=payout_id, state=states.REVERTED).select_related("asset"))
        if not payouts:
            raise PayoutCannotBeAskedAgain(reason="it is not one that the chain took and failed")
        payout = payouts[0]
        try:
            fresh = redirect_payout(payout, address=payout.address, at=at)
        except PayoutNotRedirectable as error:
            raise PayoutCannotBeAskedAgain(reason=str(error)) from error
        note_evidence(payout, at=at, by=by, code="asked_again", words=f"{fresh.purpose}: {because}")
        return fresh


def follow_dead_ends(*, node: Chain, at: datetime, limit: int = 50) -> int:
    """Give every payout of a chain that we ourselves made impossible its next chance; return how many got one.

    Two kinds: a nonce used up to free the lane, once final; and payments built on change that a replacement of ours
    took away, once that is final. Safe to repeat; raises nothing of the node's.
    """
    return _ask_for_freed(node.code, at, limit) + _reopen_orphans(node, at, limit)


def _ask_for_freed(chain: str, at: datetime, limit: int) -> int:
    freed = Payout.objects.filter(chain=chain, state=states.REVERTED, problem=NONCE_USED_UP)
    done = 0
    for payout_id in list(freed.order_by("pk").values_list("pk", flat=True)[:limit]):
        try:
            ask_again(payout_id=payout_id, at=at, by="machine", because="its nonce was used up to free the lane")
            problem = "nonce_used_up: asked for again"
            done += 1
        except InsufficientFunds:
            continue  # held by its name; the next round tries again
        except PayoutCannotBeAskedAgain as error:
            problem = f"nonce_used_up: {error}"
        with transaction.atomic():
            Payout.objects.filter(pk=payout_id).update(problem=problem[:300])
    return done


def _reopen_orphans(node: Chain, at: datetime, limit: int) -> int:
    """Look at payments whose input is change of an attempt that another one of the same payout took the place of."""
    if node.has_nonces:
        return 0
    replaced = Attempt.objects.filter(
        chain=node.code, block_height=None, payout__state__in=(states.CONFIRMED, states.REVERTED, states.REQUESTED)
    )
    orphans = Payout.objects.filter(
        chain=node.code,
        state__in=(states.SIGNED, states.BROADCAST),
        coin_holds__txid__in=replaced.values("txid"),
    ).exclude(attempts__block_height__isnull=False)
    todo = list(orphans.order_by("pk").values_list("pk", flat=True).distinct()[:limit])
    if not todo:
        return 0
    try:
        advice = gather_advice(node, at=at)
    except ChainError:
        return 0  # the scan reports it
    return sum(request_signature(action="reopen", payout_id=pk, advice=advice).code == "reopened" for pk in todo)
