"""Gives a process a clock that is wrong: by the seconds that stand in the file OUTAGE_CLOCK, from one moment to the next.

Python reads this before anything else of a process whose PYTHONPATH has this folder. What the product and Celery read as the
time is moved; what counts by uptime is not, as with a machine whose clock somebody sets.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

if path := os.environ.get("OUTAGE_CLOCK"):
    import core.clock

    right = time.time  # noqa: TID251 -- this is what makes the clocks wrong

    def offset_s() -> int:
        try:
            return int(Path(path).read_text() or 0)
        except FileNotFoundError:
            return 0

    def wrong_time() -> float:
        return right() + offset_s()

    def wrong_now() -> datetime:
        return datetime.now(tz=UTC) + timedelta(seconds=offset_s())  # noqa: TID251 -- likewise

    time.time = wrong_time  # noqa: TID251 -- likewise
    core.clock._system_now = core.clock._read = wrong_now
