"""When ticks are sent and taken, by each machine's uptime: no clock that is wrong or is set may stop them.

Celery's own scheduler asks the clock, and one that is set back ten minutes sends nothing for ten minutes. All our ticks are
plain intervals, so nothing has to be remembered over a restart: each is sent once at the start. Messages hardly expire,
since that goes by two machines' clocks; what piles up while a worker is away, the worker itself leaves out.
"""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery import Task
from celery.beat import Scheduler
from celery.schedules import schedule

LEAST_PAUSE_S = 0.5
LONGEST_SLEEP_S = 60


class PacedTask(Task):  # type: ignore[type-arg]  # generic in its stubs alone
    """A task that leaves out a message which comes within half a second of the end of the same one in this process.

    The same: of one name and with the same arguments. So a thousand old ticks are gone in moments, a tick that runs long
    is not followed by those that came meanwhile, and nothing that rows do not decide is decided. Who calls it as a function
    always runs it.
    """

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run the task, or leave it out."""
        if self.request.called_directly:
            return self.run(*args, **options)
        ended = self.__dict__.setdefault("_ended", {})
        key = (*args, *sorted(options.items()))
        if time.monotonic() - ended.get(key, -LEAST_PAUSE_S) < LEAST_PAUSE_S:
            return None
        try:
            return self.run(*args, **options)
        finally:
            ended[key] = time.monotonic()


class SteadyScheduler(Scheduler):
    """Counts on the monotonic clock. Every three minutes it touches `schedule_filename` + ".alive", for who watches it."""

    def __init__(self, *args: Any, schedule_filename: str = "", **kwargs: Any) -> None:
        self._due: dict[str, float] = {}
        self._file = Path(schedule_filename + ".alive") if schedule_filename else None
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Take the timetable as the application has it, and Celery's own entries."""
        self.install_default_entries(self.schedule)
        self.merge_inplace(self.app.conf.beat_schedule)
        self.sync()

    def tick(self, *_: Any, **__: Any) -> float:
        """Send what is due and return for how many seconds nothing else will be. What was missed is sent once."""
        now = time.monotonic()
        for name, entry in self.schedule.items():
            due = self._due.setdefault(name, now)
            if due <= now:
                self.apply_entry(entry, producer=self.producer)
                period = _period_s(entry.schedule)
                self._due[name] = due + period if due + period > now else now + period
        return float(max(min(self._due.values(), default=now + LONGEST_SLEEP_S) - time.monotonic(), 0))

    def sync(self) -> None:
        """Leave a sign of life."""
        if self._file is not None:
            self._file.touch()


def _period_s(interval: object) -> float:
    if not isinstance(interval, schedule):
        raise TypeError(f"{interval!r} is no plain interval: this beat asks no clock")
    return timedelta.total_seconds(interval.run_every)  # type: ignore[attr-defined]  # missing in its stubs
