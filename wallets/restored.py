"""After an old backup was restored: nothing is paid and no address is handed out that somebody may have got before.

Called when the payout journal proves it (wallets.journal), and by the operator's command after every restore.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from wallets.freeze import ALL
from wallets.models import ChainState, Freeze

RESTORED = "the database was restored from a backup"  # what a freeze says that the operator's command made after one


@transaction.atomic
def note_restored(*, reason: str, at: datetime, by: str, beyond: int = 0) -> bool:
    """Freeze all payouts and let every chain derive deposit addresses from a fresh branch; False if done already.

    The restored rows count addresses from where the backup was taken; those handed out since would be handed out again.
    `beyond`: the highest branch that the replaced database had reached, in case it was a restored one itself. Safe to
    repeat while the freeze of this reason is open.
    """
    if Freeze.objects.filter(scope=ALL, reason=reason[:300], lifted_at=None).exists():
        return False
    Freeze.objects.create(scope=ALL, reason=reason[:300], frozen_at=at, frozen_by=by)
    ChainState.objects.update(account=Greatest(F("account"), beyond) + 1, next_index=0)
    return True
