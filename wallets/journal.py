"""The payout journal: every signed attempt, appended and fsynced to a file outside the database before it is sent.

A database restored from an old backup does not know its latest payouts; the journal does. When the journal is newer
than the database, payouts freeze until the operator has reconciled and lifts the freeze: that appends a line for each
unknown payment, which from then on is explained, and its debt is never signed again.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from django.conf import settings

from wallets.models import Attempt
from wallets.restored import note_restored

NEWER = "the payout journal is newer than the database (an old backup?): reconcile before unfreezing"
_TAIL_BYTES = 4096
_AUDIT_BYTES = 2**20


def append(attempt: Attempt, *, at: datetime) -> None:
    """Write one signed attempt and wait until the disk has it. A repeated line is harmless."""
    _write(
        {
            "at": at.isoformat(),
            "chain": attempt.chain,
            "txid": attempt.txid,
            "payout": attempt.payout.purpose,
            "n": attempt.n,
        }
    )


def explain_missing(*, because: str, at: datetime) -> int:
    """Note in the journal that a person has accounted for every payment the database does not know; return how many.

    They stop freezing payouts, and `list_explained_debts` keeps their debts from being paid again. Safe to repeat.
    """
    missing = missing_from_database()
    for line in missing:
        _write({**line, "explained": because, "at": at.isoformat()})
    return len(missing)


def missing_from_database() -> list[dict[str, str]]:
    """Return the attempts that the database does not know and nobody has explained: paid after a backup was taken."""
    lines = list(read_lines())
    known = set(Attempt.objects.filter(txid__in=[line["txid"] for line in lines]).values_list("txid", flat=True))
    known |= _explained(lines)
    return [line for line in lines if line["txid"] not in known]


def find_unjournaled(*, chain: str, limit: int = 100) -> list[str]:
    """Return the latest attempts of a chain that were sent and that the journal beside this process does not name.

    Says nothing where there is no journal: it lies with whoever signs. Reads the end of the file and one statement.
    """
    path = Path(settings.PAYOUT_JOURNAL)
    if not path.exists():
        return []
    sent = Attempt.objects.filter(chain=chain, sent_at__isnull=False, journaled_at__isnull=False).order_by("-pk")[
        :limit
    ]
    wanted = [(attempt.txid, attempt.journaled_at) for attempt in sent.only("txid", "journaled_at")]
    lines = list(_read_tail(most=_AUDIT_BYTES))
    named = {line["txid"] for line in lines}
    whole = path.stat().st_size <= _AUDIT_BYTES
    since = min((line["at"] for line in lines), default="")
    # What was journaled before the part that was read cannot be judged by it.
    return [txid for txid, at in wanted if txid not in named and (whole or (at and at.isoformat() > since))]


def list_explained_debts() -> set[str]:
    """Return the purposes of payments that a person explained after a restore; they are paid, whatever our rows say.

    Reads what was appended since this process last looked.
    """
    path = Path(settings.PAYOUT_JOURNAL)
    read_to, debts = _debts.get(str(path), (0, frozenset()))
    size = path.stat().st_size if path.exists() else 0
    if size < read_to:
        read_to, debts = 0, frozenset()  # another file under the same name
    if size > read_to:
        with path.open("rb") as file:
            file.seek(read_to)
            whole, newline, _torn = file.read().rpartition(b"\n")
        fresh = whole + newline
        debts |= {line["payout"] for line in _parse(fresh.decode(errors="replace").splitlines()) if line["explained"]}
        _debts[str(path)] = (read_to + len(fresh), debts)
    return set(debts)


_debts: dict[str, tuple[int, frozenset[str]]] = {}


def _explained(lines: list[dict[str, str]]) -> set[str]:
    return {line["txid"] for line in lines if line["explained"]}


def _write(fields: dict[str, object]) -> None:
    line = json.dumps(fields)
    path = Path(settings.PAYOUT_JOURNAL)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def check_latest(*, at: datetime) -> bool:
    """Freeze all payouts when the journal's last attempt is unknown to the database; True when all is well.

    Attempts are committed before they are journaled, so in a healthy system the last line is always known. Cheap enough
    to ask before every round of signing: one read of the file's end and one statement.
    """
    return check_lines(list(_read_tail()), at=at)


def check_all(*, at: datetime) -> bool:
    """Compare the whole journal, at the start of a worker; freeze when any attempt is unknown."""
    explained = _explained(list(read_lines()))
    batch: list[dict[str, str]] = []
    healthy = True
    for line in read_lines():
        if line["txid"] in explained:
            continue
        batch.append(line)
        if len(batch) == 1000:  # noqa: PLR2004 -- a batch, no meaning
            healthy &= check_lines(batch, at=at)
            batch = []
    return check_lines(batch, at=at) and healthy


def check_lines(lines: list[dict[str, str]], *, at: datetime) -> bool:
    """Freeze everything when one of these attempts is not in the database and nobody has explained it.

    Returns whether all are known or explained. A freeze that is lifted without explaining them comes back at once.
    """
    explained = _explained(lines)
    wanted = {(line["chain"], line["txid"]) for line in lines if line["txid"] not in explained}
    if not wanted:
        return True
    known = set(Attempt.objects.filter(txid__in=[txid for _, txid in wanted]).values_list("chain", "txid"))
    if wanted <= known:
        return True
    note_restored(reason=NEWER, at=at, by="machine")
    return False


def read_lines() -> Iterator[dict[str, str]]:
    """Yield the journal from its beginning; a torn last line (a crash while writing) is passed over."""
    path = Path(settings.PAYOUT_JOURNAL)
    if path.exists():
        with path.open(encoding="utf-8") as file:
            yield from _parse(file)


def _read_tail(*, most: int = 0) -> Iterator[dict[str, str]]:
    """Yield the last five lines, or all within the last `most` bytes."""
    path = Path(settings.PAYOUT_JOURNAL)
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - (most or _TAIL_BYTES), 0))
        lines = file.read().decode(errors="replace").splitlines()
    yield from list(_parse(lines if most else lines[-5:]))


def _parse(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    for line in lines:
        try:
            found = json.loads(line)
            known = {key: str(found[key]) for key in ("chain", "txid", "payout", "n", "at")}
            yield {**known, "explained": str(found.get("explained", ""))}
        except (ValueError, KeyError, TypeError):
            continue
