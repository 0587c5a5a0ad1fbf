"""Send what is signed, and send it again until it is mined: only stored bytes, whatever the node says."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction

from wallets import journal, states
from wallets.chains.protocol import Chain, Refused, Sent, Unknown
from wallets.freeze import frozen_scopes, is_frozen
from wallets.models import Attempt, Deposit, Payout
from wallets.paying.refusals import classify, is_of_sending

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


def _note(attempt: Attempt, answer: Sent | Refused | Unknown, at: datetime) -> bool:
    """Store what the node said. Conditional updates: the scan may have seen the transaction mined meanwhile.

    Only the latest attempt speaks for its payout: earlier ones are refused because it outbid them. What stands about a
    payout in doubt is evidence, which no answer of a node replaces.
    """
    with transaction.atomic():
        rows = Attempt.objects.filter(pk=attempt.pk)
        waiting = Payout.objects.filter(pk=attempt.payout_id, state__in=(states.SIGNED, states.BROADCAST))
        before = waiting.values_list("problem", flat=True).first() or ""
        speaks = (
            is_of_sending(before) and not Attempt.objects.filter(payout=attempt.payout_id, n__gt=attempt.n).exists()
        )
        if isinstance(answer, Sent):
            rows.update(sent_at=at, journaled_at=attempt.journaled_at or at, answer="taken")
            if speaks and before:
                waiting.update(problem="")
            waiting.filter(state=states.SIGNED).update(state=states.BROADCAST, news=True)
            return True
        said = f"refused: {classify(answer)}: {answer.code} {answer.reason}" if isinstance(answer, Refused) else ""
        said = said or f"unknown: node_silent: {answer}"
        rows.update(journaled_at=attempt.journaled_at or at, answer=said[:200])
        if speaks:
            waiting.update(problem=said.partition(": ")[2][:300])
        return False
