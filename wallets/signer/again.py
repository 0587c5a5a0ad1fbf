"""Let a payout be signed anew after everything that was signed for it has died: the same intent, another coin or nonce."""

from django.db import transaction

from core.locks import lock_rows
from wallets import states
from wallets.models import Attempt, ChainState, Coin, Payout
from wallets.signer.advice import Advice, Outcome
from wallets.signer.death import final_height, list_alive
from wallets.signer.evidence import REOPENED, note_evidence


def reopen(payout_id: int, advice: Advice) -> Outcome:
    """Put a payout whose attempts are all proven dead back to REQUESTED. Locks the lane and the payout; safe to repeat.

    A payout in doubt is reopened only when a person says so (`advice.by`), because what took its coins may have paid the debt.
    Its holds stay: they belong to this payout for ever.
    """
    open_states = [states.SIGNED, states.BROADCAST] + ([states.IN_DOUBT] if advice.by != "machine" else [])
    with transaction.atomic():
        (lanes, payouts) = lock_rows(
            ChainState.objects.filter(code=advice.chain),
            Payout.objects.filter(pk=payout_id, chain=advice.chain, state__in=open_states).select_related("asset"),
        )
        if not payouts or not lanes:
            return Outcome(code="not_open", words="it is not a signed payout that waits")
        payout = payouts[0]
        alive = list_alive(payout.pk, final=final_height(payout.asset, lanes[0].height))
        if alive:
            return Outcome(code="still_alive", words=f"{alive[0]} may still be mined")
        states.PAYOUT.check(payout.state, states.REQUESTED)
        payout.state, payout.signed_at, payout.tried_at, payout.news = states.REQUESTED, None, None, True
        payout.problem = "reopened: what was signed before can never be mined"
        payout.save(update_fields=("state", "signed_at", "tried_at", "news", "problem"))
        Attempt.objects.filter(payout=payout).update(next_send_at=None, answer="dead")
        Coin.objects.filter(attempt__payout=payout).update(usable=False)
        note_evidence(payout, at=advice.at, by=advice.by, code=REOPENED, words=advice.because or payout.problem)
        return Outcome(code="reopened", words=payout.problem)
