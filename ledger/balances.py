"""Read the books: single balances, the trial balance, and the checkpoints that keep reading cheap."""

from dataclasses import dataclass

from django.db import connection

from core.models import Asset
from core.money import Money
from ledger.models import Balance


@dataclass(frozen=True, slots=True)
class TrialLine:
    """The sum of one kind in one asset over all owners; `minor` is debit-positive."""

    kind: str
    asset: str
    minor: int


def get_balance(*, kind: str, asset: Asset, owner: str = "") -> Money:
    """Return the balance of an account, debit-positive; zero when it was never used. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_BALANCE, [kind, asset.code, owner])
        row = cursor.fetchone()
    return Money(int(row[0]) if row else 0, asset)


def get_floor_balance(*, kind: str, asset: Asset, owner: str = "") -> Money:
    """Return the balance of an account with a floor from its balance row, by one index look-up."""
    row = Balance.objects.filter(account__kind=kind, account__asset=asset, account__owner_ref=owner).first()
    return Money(row.amount_minor if row else 0, asset)


def list_trial_balance() -> list[TrialLine]:
    """Sum every posting by kind and asset: what an auditor reads. Costs a scan since the checkpoints; for commands."""
    with connection.cursor() as cursor:
        cursor.execute(_TRIAL)
        return [TrialLine(kind, asset, int(minor)) for kind, asset, minor in cursor.fetchall()]


def find_imbalances() -> list[str]:
    """Return every way in which the books contradict themselves, as sentences; an empty list is the proof of balance.

    Checks: each asset sums to zero over all accounts, each entry sums to zero per asset, each account with a floor keeps
    a balance that equals the sum of its postings, each checkpoint equals the sum up to its posting.
    """
    problems = []
    with connection.cursor() as cursor:
        cursor.execute(_UNBALANCED_ASSETS)
        problems += [f"asset {asset} sums to {minor}, not 0" for asset, minor in cursor.fetchall()]
        cursor.execute(_UNBALANCED_ENTRIES)
        problems += [f"entry {reference} sums to {minor} {asset}" for reference, asset, minor in cursor.fetchall()]
        cursor.execute(_STALE_BALANCES)
        problems += [f"account {pk} keeps {kept}, its postings sum to {summed}" for pk, kept, summed in cursor]
        cursor.execute(_STALE_CHECKPOINTS)
        problems += [
            f"checkpoint of account {pk} says {kept}, its postings sum to {summed}" for pk, kept, summed in cursor
        ]
    return problems


def take_checkpoints() -> int:
    """Sum the house accounts up to now and return how many were refreshed. Safe to repeat and to run twice at once.

    Takes a brief SHARE lock on the postings: ids are handed out before commit, so without it a posting with a lower id
    could still be on its way and would be left out of every later sum. One statement, which is its own transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_take_checkpoints()")
        return int(cursor.fetchone()[0])


_SINCE = """
    SELECT a.id, a.kind, a.asset_id,
           COALESCE(c.amount_minor, 0) + COALESCE((
               SELECT sum(p.amount_minor) FROM ledger_posting p
               WHERE p.account_id = a.id AND p.id > COALESCE(c.posting_id, 0)), 0) AS minor
    FROM ledger_ledgeraccount a LEFT JOIN ledger_checkpoint c ON c.account_id = a.id
"""
_BALANCE = f"SELECT minor FROM ({_SINCE} WHERE a.kind = %s AND a.asset_id = %s AND a.owner_ref = %s) s"  # noqa: S608
_TRIAL = f"SELECT kind, asset_id, sum(minor) FROM ({_SINCE}) s GROUP BY 1, 2 ORDER BY 1, 2"  # noqa: S608
_UNBALANCED_ASSETS = """
    SELECT a.asset_id, sum(p.amount_minor) FROM ledger_posting p JOIN ledger_ledgeraccount a ON a.id = p.account_id
    GROUP BY 1 HAVING sum(p.amount_minor) <> 0
"""
_UNBALANCED_ENTRIES = """
    SELECT e.reference, a.asset_id, sum(p.amount_minor)
    FROM ledger_entry e JOIN ledger_posting p ON p.entry_id = e.id JOIN ledger_ledgeraccount a ON a.id = p.account_id
    GROUP BY 1, 2 HAVING sum(p.amount_minor) <> 0 LIMIT 100
"""
_STALE_BALANCES = """
    SELECT a.id, b.amount_minor, COALESCE(sum(p.amount_minor), 0)
    FROM ledger_ledgeraccount a LEFT JOIN ledger_balance b ON b.account_id = a.id
    LEFT JOIN ledger_posting p ON p.account_id = a.id
    WHERE a.floor <> 0
    GROUP BY 1, 2 HAVING b.amount_minor IS DISTINCT FROM COALESCE(sum(p.amount_minor), 0) LIMIT 100
"""
_STALE_CHECKPOINTS = """
    SELECT c.account_id, c.amount_minor, COALESCE(sum(p.amount_minor), 0)
    FROM ledger_checkpoint c LEFT JOIN ledger_posting p ON p.account_id = c.account_id AND p.id <= c.posting_id
    GROUP BY 1, 2 HAVING c.amount_minor <> COALESCE(sum(p.amount_minor), 0) LIMIT 100
"""
