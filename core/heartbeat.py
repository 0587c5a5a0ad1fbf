"""Heartbeats: a row per kind of work, written by the work itself when it has done a turn, never by its process.

A process that is stopped, or alive and of no use, writes none, so whoever reads the row knows what was really done last.
Both ends use the database's clock. How old each may become is published in `settings.HEARTBEAT_LIMITS_S`, by the part of
the name before the colon.

While a release is taking the place of another, whatever works may be away for as long as the replacement may last: it is
planned, short, and comes back by itself. Whoever replaces says so beforehand and when it is over.
"""

from collections.abc import Mapping
from decimal import Decimal

from django.conf import settings
from django.db import connection

_UPSERT = """
    INSERT INTO core_heartbeat (name, at) VALUES (%s, clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET at = GREATEST(core_heartbeat.at, EXCLUDED.at)
"""
# For statements that read other things besides: an object of name and age in seconds.
AGES = """(SELECT COALESCE(jsonb_object_agg(h.name, EXTRACT(EPOCH FROM clock_timestamp() - h.at)), '{}'::jsonb)
           FROM core_heartbeat h)"""
REPLACING = "replacing"
_OVER = """
    INSERT INTO core_heartbeat (name, at) VALUES (%s, 'epoch') ON CONFLICT (name) DO UPDATE SET at = EXCLUDED.at
"""


def beat(name: str) -> None:
    """Note that a turn of the work `name` ("scan:litecoin") is done; one statement. Safe to repeat, anywhere, at once.

    Raises: KeyError for a name that has no published limit.
    """
    limit_s(name)
    with connection.cursor() as cursor:
        cursor.execute(_UPSERT, [name])


def begin_replacement() -> None:
    """Note that the processes are being replaced from now on, for the published time at the most. Safe to repeat."""
    beat(REPLACING)


def end_replacement() -> None:
    """Note that the processes work again, so that their own limits count. Safe to repeat, also without a beginning."""
    with connection.cursor() as cursor:
        cursor.execute(_OVER, [REPLACING])


def grace_s(ages: Mapping[str, Decimal]) -> int:
    """Return how long work may be away because its process is being replaced, in seconds; 0 when none is; pure."""
    age, most = ages.get(REPLACING), limit_s(REPLACING)
    return most if age is not None and age <= most else 0


def limit_s(name: str) -> int:
    """Return how old the heartbeat `name` may become, in seconds. Raises: KeyError for one that nobody watches."""
    return int(settings.HEARTBEAT_LIMITS_S[name.partition(":")[0]])


def read_ages() -> dict[str, Decimal]:
    """Return by name how many seconds ago each kind of work was done. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, EXTRACT(EPOCH FROM clock_timestamp() - at) FROM core_heartbeat")
        return dict(cursor.fetchall())


def is_silent(name: str, ages: Mapping[str, Decimal]) -> bool:
    """Say whether the work `name` was never done, or longer ago than its limit and any replacement explain; pure."""
    age = ages.get(name)
    return age is None or age > max(limit_s(name), grace_s(ages))
