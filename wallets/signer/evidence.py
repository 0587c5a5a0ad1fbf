"""Write down what was seen or decided about a payout that went wrong."""

from datetime import datetime

from wallets.models import Evidence, Payout

REOPENED = "reopened"  # the code of a payout that is signed anew, after all that was signed before was proven dead


def note_evidence(payout: Payout, *, at: datetime, by: str, code: str, words: str) -> None:
    """Add one line of evidence, in the caller's transaction. Nothing that was written before is touched."""
    Evidence.objects.create(payout=payout, at=at, by=by[:64], code=code, words=words[:300])
