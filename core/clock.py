"""The only place that reads the clock, so that a test or a rehearsal can hold it still or move it.

Domain functions take `at: datetime`; entry points (views, tasks, commands) ask `now()` and pass it on.
"""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime


def _system_now() -> datetime:
    return datetime.now(tz=UTC)


def machine_now() -> datetime:
    """Return what this machine's clock says, whatever `now()` was told: to hold it against the database's."""
    return _system_now()


_read: Callable[[], datetime] = _system_now


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return _read()


@contextlib.contextmanager
def clock_reads(read: Callable[[], datetime]) -> Iterator[None]:
    """Let `now()` answer with `read()` inside the block. For tests and rehearsals; not for threads that race."""
    global _read  # noqa: PLW0603 -- one process-wide clock is the point
    previous, _read = _read, read
    try:
        yield
    finally:
        _read = previous
