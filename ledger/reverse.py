"""Correct the books by adding: an entry is taken back by its mirror image, never edited."""

from datetime import datetime

from core.money import Money
from ledger.models import Entry, Posting
from ledger.post import Leg, NewEntry, post_entry


def mirror_of(*, reference: str, reason: str, at: datetime) -> NewEntry:
    """Return the mirror image of an entry, not posted. Raises: Entry.DoesNotExist."""
    entry = Entry.objects.get(reference=reference)
    postings = Posting.objects.filter(entry=entry).select_related("account__asset").order_by("pk")
    legs = tuple(Leg(p.account.kind, Money(-p.amount_minor, p.account.asset), p.account.owner_ref) for p in postings)
    return NewEntry(reference=f"reverse:{reference}", reason=reason, occurred_at=at, legs=legs, reverses=reference)


def reverse_entry(*, reference: str, reason: str, at: datetime) -> str:
    """Post the mirror image of the entry `reference` and return the new reference, `reverse:` + the old one.

    Inside the caller's transaction. Safe to repeat; the database lets an entry be reversed only once. To take a
    reversal back, reverse it in turn.

    Raises: Entry.DoesNotExist; InsufficientFunds when the mirror image breaks a floor.
    """
    mirrored = mirror_of(reference=reference, reason=reason, at=at)
    post_entry(mirrored)
    return mirrored.reference
