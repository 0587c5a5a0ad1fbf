"""Receipts that were booked as nobody's and turn out to be deposits: what contracts pay may be found long after its block."""

from datetime import datetime

from core.money import Money
from ledger.balances import get_balance
from ledger.models import Entry
from ledger.post import Leg, NewEntry
from wallets import states
from wallets.models import Deposit
from wallets.reading.match import BY_CONTRACT


def find_identified(*, chain: str, missing: Money, at: datetime) -> list[NewEntry]:
    """Return the entries that take back what reconciliation had booked as nobody's, deposit by deposit, once each.

    `missing`: what the books hold above the chain. It is explained only by deposits of contracts that were found after such a
    booking, at its height or below: each whole, and together up to what is still nobody's. All else that is missing is
    missing. Four statements at most, none when nothing is.
    """
    if missing.minor <= 0:
        return []
    booked = Entry.objects.filter(reference__startswith=f"unidentified:{chain}:")
    bookings = [(when, int(name.split(":")[2])) for when, name in booked.values_list("occurred_at", "reference")]
    if not bookings:
        return []
    late = Deposit.objects.filter(chain=chain, position__startswith=BY_CONTRACT, block_height__isnull=False)
    late = late.exclude(state=states.REMOVED).filter(first_seen_at__gt=min(when for when, _height in bookings))
    known = {
        f"identified:{deposit.pk}": deposit
        for deposit in late.select_related("asset").order_by("pk")
        if any(when < deposit.first_seen_at and (deposit.block_height or 0) <= height for when, height in bookings)
    }
    done = set(Entry.objects.filter(reference__in=known).values_list("reference", flat=True))
    left = min(missing.minor, -get_balance(kind="unidentified", asset=missing.asset).minor)
    entries = []
    for reference, deposit in known.items():
        if reference not in done and deposit.amount_minor <= left:
            amount = Money(deposit.amount_minor, deposit.asset)
            legs = (Leg("chain:unswept", -amount), Leg("unidentified", amount))
            entries.append(NewEntry(reference, "identified", at, legs))
            left -= deposit.amount_minor
    return entries
