"""What a chain showed and we could not take in: written down for a person, so that the block is finished all the same."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from django.db import DataError, IntegrityError, transaction

from core.errors import DomainError
from core.foreign import clean_text
from core.states import IllegalTransition
from ledger.post import EntryConflict, EntryRefused, InsufficientFunds
from wallets.models import Quarantine

# What is the fault of one row and will be again: unlike a lost connection or a lock, after which everything is tried anew.
ROW_FAULTS = (
    *(DataError, IntegrityError, ValueError, TypeError, KeyError, IndexError, ArithmeticError),
    *(IllegalTransition, EntryConflict, EntryRefused, InsufficientFunds),
)
LONGEST_FACTS = 4000
WRITTEN = 200  # rows in one statement

logger = logging.getLogger(__name__)


class NotInQuarantine(DomainError):
    code = "not_in_quarantine"
    message = "Nothing open is set aside under the number %(number)s. List what is with “manage.py quarantine”."


def set_aside(
    *,
    chain: str,
    what: str,
    problem: str,
    at: datetime,
    txid: str = "",
    position: str = "",
    owner_ref: str = "",
    block_height: int | None = None,
    facts: object = "",
) -> None:
    """Write one thing down, once: what is there already stays as it is, resolved or not. Safe to repeat; no lock.

    Foreign text is cleaned and cut. Whoever watches the log sees an error for it.
    """
    row = make_row(
        chain=chain,
        what=what,
        problem=problem,
        at=at,
        txid=txid,
        position=position,
        owner_ref=owner_ref,
        block_height=block_height,
        facts=facts,
    )
    set_rows_aside([row])


def make_row(
    *,
    chain: str,
    what: str,
    problem: str,
    at: datetime,
    txid: str,
    position: str,
    owner_ref: str = "",
    block_height: int | None = None,
    facts: object = "",
) -> Quarantine:
    """Make a row of what strangers may have worded, cleaned and cut to fit; it is not written yet."""
    return Quarantine(
        chain=chain,
        what=what,
        txid=clean_text(txid, most=80),
        position=clean_text(position, most=80),
        owner_ref=owner_ref,
        block_height=block_height,
        problem=clean_text(problem, most=300) or "unnamed",
        facts=clean_text(facts, most=LONGEST_FACTS),
        at=at,
    )


def set_rows_aside(rows: Sequence[Quarantine]) -> None:
    """Write rows down as `set_aside` does, one statement and one line in the log for 200 of them."""
    for start in range(0, len(rows), WRITTEN):
        part = rows[start : start + WRITTEN]
        with transaction.atomic():
            Quarantine.objects.bulk_create(part, ignore_conflicts=True)
        row, more = part[0], f" (and {len(part) - 1} more)" if len(part) > 1 else ""
        logger.error("%s: set aside %s %s %s: %s%s", row.chain, row.what, row.txid, row.position, row.problem, more)


@contextmanager
def in_savepoint(
    *, chain: str, what: str, at: datetime, txid: str, position: str = "", facts: object = ""
) -> Iterator[None]:
    """Do what concerns one row in a savepoint; if it fails by the row's own fault, set it aside and go on."""
    try:
        with transaction.atomic():
            yield
    except ROW_FAULTS as error:
        problem = f"{type(error).__name__}: {error}"
        set_aside(chain=chain, what=what, problem=problem, at=at, txid=txid, position=position, facts=facts)


def resolve(*, number: int, because: str, by: str, at: datetime) -> None:
    """Close one row: a person looked at it and did what was to be done. Raises: NotInQuarantine."""
    with transaction.atomic():
        rows = Quarantine.objects.filter(pk=number, resolved_at=None)
        if not rows.update(resolved_at=at, resolved_by=by[:64], resolved_because=clean_text(because, most=300)):
            raise NotInQuarantine(number=number)


def resolve_traces(*, chain: str, height: int, at: datetime) -> None:
    """Close what is open about a block's traces: they have been read now. In the caller's transaction."""
    rows = Quarantine.objects.filter(chain=chain, what=Quarantine.TRACES, position=name_block(height), resolved_at=None)
    rows.update(resolved_at=at, resolved_by="machine", resolved_because="the traces have been read")


def name_block(height: int) -> str:
    """Return the position under which a whole block is set aside."""
    return f"block {height}"


def list_open(*, chain: str = "", limit: int = 200) -> list[Quarantine]:
    """Return what nobody has resolved yet, oldest first."""
    rows = Quarantine.objects.filter(resolved_at=None)
    return list((rows.filter(chain=chain) if chain else rows).order_by("pk")[:limit])
