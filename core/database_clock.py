"""Does this process's clock agree with the database's? Asked before money work: a wrong clock expires what was paid in time."""

import logging

from django.conf import settings
from django.db import connection

from core.clock import machine_now

log = logging.getLogger(__name__)


def measure_offset_s() -> float:
    """Return by how many seconds this machine's clock is ahead of the database's (behind: negative). One statement.

    While the statement was on its way the two may have been equal: only what lies outside that span counts.
    """
    started = machine_now().timestamp()
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXTRACT(EPOCH FROM clock_timestamp())")
        database = float(cursor.fetchone()[0])
    return offset_s(started, machine_now().timestamp(), database)


def offset_s(started: float, ended: float, database: float) -> float:
    """Return the least difference of clocks that explains the three readings; pure."""
    return min(0.0, ended - database) + max(0.0, started - database)


def clock_is_right() -> bool:
    """Say whether money work may be done by this process now; when not, say so in the log."""
    off = measure_offset_s()
    if abs(off) <= settings.CLOCK_LIMIT_S:
        return True
    log.error("this machine's clock is %+.1f s from the database's: nothing is done until it is right", off)
    return False
