"""The one way into the books: post entries, each once, in a single SQL statement.

The SQL function `ledger_post` (migration 0002) creates missing accounts, recognises repeats, inserts entries and
postings; triggers keep the balances, refuse what is unbalanced, and refuse every later change. Called last in a
transaction, because balance rows are the hottest locks (docs/ARCHITECTURE.md, "Locks").
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg2.errors
from django.db import IntegrityError, InternalError, connection

from core.errors import DomainError
from core.money import Money
from ledger.chart import CHART

FEWEST_LEGS = 2


class EntryConflict(Exception):
    """The same reference was posted before with other contents: a bug, or a second attempt to close a reservation."""


class InsufficientFunds(DomainError):
    code = "insufficient_funds"
    message = "An account would fall below its floor."


class EntryRefused(Exception):
    """The entry is malformed (unbalanced, unknown kind, missing owner): a bug in the caller."""


@dataclass(frozen=True, slots=True)
class Leg:
    """`amount` into the account (kind, amount's asset, owner): positive debits, negative credits."""

    kind: str
    amount: Money
    owner: str = ""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What to post. `reference` is unique for ever; `reverses` is the reference of the entry taken back."""

    reference: str
    reason: str
    occurred_at: datetime
    legs: tuple[Leg, ...]
    reverses: str = ""


def post_entries(entries: Sequence[NewEntry]) -> list[bool]:
    """Post the entries in one statement; True for each that is new, False for an identical repeat.

    Must run inside the transaction that changes the rows the entries speak of, at its end. Locks the balance rows of
    accounts with a floor, in account order; a second call in one transaction breaks that order and may end in a deadlock,
    which rolls one side back. Safe to repeat: same reference and contents is a no-op.

    Raises: EntryConflict (same reference, other contents), InsufficientFunds (a floor would be broken; the transaction
    is then unusable), EntryRefused (unbalanced or not in the chart).
    """
    if not connection.in_atomic_block:
        raise EntryRefused("post_entries() outside a transaction")
    if not entries:
        return []
    payload = json.dumps([_describe(entry) for entry in entries])
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ordinal, created FROM ledger_post(%s::jsonb) ORDER BY ordinal", [payload])
            return [created for _, created in cursor.fetchall()]
    except IntegrityError as error:
        if isinstance(error.__cause__, psycopg2.errors.CheckViolation) and "balance_within_floor" in str(error):
            raise InsufficientFunds from error
        raise
    except InternalError as error:
        if "ledger_reference_conflict" in str(error):
            raise EntryConflict(str(error.__cause__).splitlines()[0]) from error
        raise


def post_entry(entry: NewEntry) -> bool:
    """Post one entry: `post_entries` for the common case."""
    return post_entries([entry])[0]


def _describe(entry: NewEntry) -> dict[str, object]:
    sums: dict[str, int] = {}
    legs = []
    for leg in entry.legs:
        if leg.amount.minor == 0:
            continue
        kind = CHART.get(leg.kind)
        if kind is None or kind.owned != bool(leg.owner):
            raise EntryRefused(f"{entry.reference}: kind {leg.kind!r} with owner {leg.owner!r} is not in the chart")
        asset = leg.amount.asset.code
        sums[asset] = sums.get(asset, 0) + leg.amount.minor
        legs.append([leg.kind, asset, leg.owner, kind.floor, str(leg.amount.minor)])
    if len(legs) < FEWEST_LEGS or any(sums.values()):
        raise EntryRefused(f"{entry.reference}: legs do not balance: {sums}")
    contents = [entry.reference, entry.reason, entry.reverses, legs]
    return {
        "reference": entry.reference,
        "hash": hashlib.sha256(json.dumps(contents).encode()).hexdigest(),
        "reason": entry.reason,
        "occurred_at": entry.occurred_at.isoformat(),
        "reverses": entry.reverses,
        "legs": legs,
    }
