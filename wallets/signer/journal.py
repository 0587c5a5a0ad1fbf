"""The signer's own journal: what it signed and what a person approved, appended and fsynced where no SQL reaches.

One file per network, of the signer alone. Ceilings are counted from it, so whoever holds the database can lift none.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

KEPT = timedelta(hours=25)  # in memory; nothing older counts, but an approval that nothing has used up
SIGNED, APPROVED, REVOKED = "signed", "approved", "revoked"
Payment = tuple[int, str, str, int]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `minor` is the most that left or may leave with the payout: amount and fee cap."""

    at: datetime
    what: str  # "signed", "approved" or "revoked"
    payout: int
    purpose: str
    address: str
    minor: int
    funding: tuple[str, ...] = ()  # the networks whose deposits paid for it
    because: str = ""

    @property
    def payment(self) -> Payment:
        """Same intent, same target, same amount: the same payment."""
        return (self.payout, self.purpose, self.address, self.minor)


class JournalBroken(Exception):
    """The journal has lost lines: nothing is signed until a person has looked."""


_kept: dict[str, tuple[int, list[Line]]] = {}


def path_of(chain: str) -> Path:
    """Return where the journal of a network's signer lies."""
    return Path(settings.SIGNER_JOURNAL_DIR) / f"{chain}.journal"


def append(chain: str, line: Line) -> None:
    """Write a line and wait until the disk has it. Two writers at once write whole lines."""
    path = path_of(chain)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fields = {"at": line.at.isoformat(), "what": line.what, "payout": line.payout, "purpose": line.purpose}
    fields |= {
        "address": line.address,
        "minor": str(line.minor),
        "funding": list(line.funding),
        "because": line.because,
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # A line that a crash tore is closed first, so that this one stands alone.
        file.write(b"\n" + json.dumps(fields).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_recent(chain: str, *, at: datetime) -> list[Line]:
    """Return the lines of the last 25 hours, oldest first; what was appended since this process last looked is read.

    An older approval is among them while nothing has used it up, or what did is.
    Raises: JournalBroken.
    """
    path = path_of(chain)
    key = str(path)
    read_to, lines = _kept.get(key, (0, []))
    size = path.stat().st_size if path.exists() else 0
    if size < read_to:
        raise JournalBroken(f"{path} has become shorter: somebody has removed lines of it")
    if size > read_to:
        with path.open("rb") as file:
            file.seek(read_to)
            whole, newline, _torn = file.read().rpartition(b"\n")
        lines = lines + list(_parse(whole.splitlines(), path))
        read_to += len(whole) + len(newline)
    lines = _drop_old(lines, at - KEPT)
    _kept[key] = (read_to, lines)
    return lines


def _drop_old(lines: list[Line], before: datetime) -> list[Line]:
    """Leave out what is old: an approval goes with what used it up, and stays until then."""
    used_at: dict[int, datetime] = {}
    waiting: dict[Payment, list[int]] = {}
    for place, line in enumerate(lines):
        if line.what == APPROVED:
            waiting.setdefault(line.payment, []).append(place)
        else:
            used_at |= dict.fromkeys(waiting.pop(line.payment, ()), line.at)
    open_places = {place for places in waiting.values() for place in places}
    return [
        line
        for place, line in enumerate(lines)
        if line.at > before or place in open_places or used_at.get(place, before) > before
    ]


def _parse(raw: list[bytes], path: Path) -> Iterator[Line]:
    """Read whole lines; one that a crash tore stands for nothing, as its signature was never stored."""
    for text in filter(None, raw):
        try:
            yield _line(json.loads(text))
        except (ValueError, KeyError, TypeError):
            log.warning("%s holds a line that was torn: %r", path, text[:80])


def _line(fields: dict[str, Any]) -> Line:
    return Line(
        at=datetime.fromisoformat(fields["at"]),
        what=str(fields["what"]),
        payout=int(fields["payout"]),
        purpose=str(fields["purpose"]),
        address=str(fields["address"]),
        minor=int(fields["minor"]),
        funding=tuple(fields["funding"]),
        because=str(fields["because"]),
    )
