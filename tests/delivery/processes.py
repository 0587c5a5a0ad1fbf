"""Waiting for what happens soon, and whether a process still runs: for tests that interrupt programs."""

import time
from collections.abc import Callable
from pathlib import Path


def wait_until(condition: Callable[[], object], within_s: float = 10.0) -> object:
    """Ask until the condition holds or the time is over; return what it said last."""
    deadline = time.monotonic() + within_s
    while not (said := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return said


def runs(number: int) -> bool:
    """Say whether the process is there and has not ended; one that waits to be noticed has."""
    try:
        return Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
