"""After an old backup was restored: nothing is paid and no address is handed out that somebody may have got before.

Called when the payout journal proves it (wallets.journal), and by the operator's command after every restore.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from wallets.freeze import ALL
from wallets.models import ChainState, Freeze


@transaction.atomic
def note_restored(*, reason: str, at: datetime, by: str) -> bool:
    """Freeze all payouts and let every chain derive deposit addresses from a fresh branch; False if done already.

    The restored rows count addresses from where the backup was taken; those handed out since would be handed out again.
    Safe to repeat while the freeze is open.
    """
    if Freeze.objects.filter(scope=ALL, reason=reason[:300], lifted_at=None).exists():
        return False
    Freeze.objects.create(scope=ALL, reason=reason[:300], frozen_at=at, frozen_by=by)
    ChainState.objects.update(account=F("account") + 1, next_index=0)
    return True
