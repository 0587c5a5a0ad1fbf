"""Does this process's clock agree with the database's? Asked before money work: a wrong clock expires what was paid in time."""

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import connection

from core.clock import machine_now

log = logging.getLogger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seconds_of(at: datetime) -> Decimal:
    """Return an instant as seconds since 1970, exactly; pure."""
    return Decimal((at - _EPOCH) // timedelta(microseconds=1)).scaleb(-6)


def measure_offset_s() -> Decimal:
    """Return by how many seconds this machine's clock is ahead of the database's (behind: negative). One statement.

    While the statement was on its way the two may have been equal: only what lies outside that span counts.
    """
    started = seconds_of(machine_now())
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXTRACT(EPOCH FROM clock_timestamp())")
        database: Decimal = cursor.fetchone()[0]
    return offset_s(started, seconds_of(machine_now()), database)


def offset_s(started: Decimal, ended: Decimal, database: Decimal) -> Decimal:
    """Return the least difference of clocks that explains the three readings; pure."""
    return min(Decimal(0), ended - database) + max(Decimal(0), started - database)


def clock_is_right() -> bool:
    """Say whether money work may be done by this process now; when not, say so in the log."""
    off = measure_offset_s()
    if abs(off) <= settings.CLOCK_LIMIT_S:
        return True
    log.error("this machine's clock is %+.1f s from the database's: nothing is done until it is right", off)
    return False
