"""Tell what this signer still lets go by itself, so that nothing is sold that would wait for a person."""

import logging

from django.conf import settings
from django.db import Error, transaction
from django.db.models.functions import Now

from core.clock import now
from core.database_clock import clock_is_right
from core.heartbeat import beat
from wallets.models import SignerRoom
from wallets.scan_state import native_asset
from wallets.signer import journal
from wallets.signer.ceilings import measure_left, read_ceilings

log = logging.getLogger(__name__)


def tell_room(chain: str) -> None:
    """Publish the room; what keeps it from that is logged, and noticed by everybody: without a heartbeat nothing is sold.

    A signer goes on where its database is away, and above all where its journal has lost lines: started anew, it would not
    know of them. By a clock that is wrong it signs nothing, and says nothing.
    """
    try:
        if clock_is_right():
            publish_room(chain)
    except (Error, journal.JournalBroken):
        log.exception("what the signer of %s still lets go could not be told", chain)


def publish_room(chain: str) -> None:
    """Write the row of this network's signer anew, from its own figures and journal, and its heartbeat.

    Two statements and one look at the journal's length; safe to repeat. What falls out of the last hour is room again with the
    next call, so the offer opens by itself. Raises: JournalBroken, and then the heartbeat is not written either.
    """
    at = now()
    asset = native_asset(chain)
    ceilings = read_ceilings(asset)
    left = measure_left(
        journal.read_recent(chain, at=at), ceilings, at=at, network=chain, others=set(settings.CHAINS) - {chain}
    )
    row = {
        "at": Now(),
        "payout_minor": ceilings.payout,
        "hour_minor": ceilings.hour,
        "day_minor": ceilings.day,
        "funded_hour_minor": ceilings.funded_hour,
        "hour_left_minor": left.hour,
        "day_left_minor": left.day,
        "funded_left": left.funded_hour,
    }
    with transaction.atomic():
        SignerRoom.objects.bulk_create(
            [SignerRoom(chain=chain, **row)],
            update_conflicts=True,
            unique_fields=["chain"],
            update_fields=list(row),
        )
        beat(f"signer:{chain}")
