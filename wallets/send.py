"""Send what is signed, and send it again until it is mined: only stored bytes, whatever the node says."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction

from wallets import journal, states
from wallets.chains.protocol import Chain, Refused, Sent
from wallets.freeze import frozen_scopes, is_frozen
from wallets.models import Attempt, Deposit, Payout

RESEND_AFTER = timedelta(seconds=30)


def send_due_attempts(
    *, node: Chain, at: datetime, limit: int = 200, step: Callable[[str], None] = lambda _: None
) -> int:
    """Send the attempts that are due, oldest first, and return how many the node took.

    1. Claim: the next sending time is pushed ahead, so that two workers do not send the same bytes at the same moment
       (harmless, but noise) and a crash only delays.
    2. Journal, before the first sending.
    3. Send. Taken: SIGNED becomes BROADCAST. A refusal or silence frees nothing; the same bytes go again later.

    `step` is told the name of each step, for tests that kill the process between two of them.
    """
    due = Attempt.objects.filter(chain=node.code, next_send_at__lte=at).order_by("pk").select_related("payout")
    scopes = frozen_scopes()
    taken = 0
    for attempt in due[:limit]:
        if not _claim(attempt, at):
            continue
        if attempt.sent_at is None and scopes and is_frozen(attempt.payout.asset_id, _funding(attempt), scopes):
            continue  # claimed first, so that frozen ones make room for those behind them
        step("claimed")
        if attempt.journaled_at is None:
            journal.append(attempt, at=at)
            step("journaled")
        answer = node.broadcast(attempt.raw)
        step("sent")
        taken += _note(attempt, answer, at)
        step("noted")
    return taken


def _funding(attempt: Attempt) -> set[str]:
    return set(Deposit.objects.filter(pk__in=attempt.payout.funded_by).values_list("asset_id", flat=True))


def _claim(attempt: Attempt, at: datetime) -> bool:
    with transaction.atomic():
        due = Attempt.objects.filter(pk=attempt.pk, next_send_at=attempt.next_send_at)
        return due.update(next_send_at=at + RESEND_AFTER) == 1


def _note(attempt: Attempt, answer: object, at: datetime) -> bool:
    """Store what the node said. Conditional updates: the scan may have seen the transaction mined meanwhile."""
    with transaction.atomic():
        rows = Attempt.objects.filter(pk=attempt.pk)
        if isinstance(answer, Sent):
            rows.update(sent_at=at, journaled_at=attempt.journaled_at or at, answer="taken")
            Payout.objects.filter(pk=attempt.payout_id, state=states.SIGNED).update(state=states.BROADCAST, news=True)
            return True
        said = f"refused: {answer.code} {answer.reason}" if isinstance(answer, Refused) else f"unknown: {answer}"
        rows.update(journaled_at=attempt.journaled_at or at, answer=said[:200])
        Payout.objects.filter(pk=attempt.payout_id).update(problem=said[:300])
        return False
