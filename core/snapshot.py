"""A value kept in the process for at most a second: what makes price and catalogue reads cost no SQL when warm.

For public, shared facts only (assets, pairs, rates, limits). Nobody's order is ever kept here.
"""

import threading
import time
import weakref
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Forgetful(Protocol):
    """What keeps something beyond a request."""

    def forget(self) -> None:
        """Drop it."""


_all: "weakref.WeakSet[Forgetful]" = weakref.WeakSet()


class Snapshot(Generic[T]):
    """Holds the result of `load()` for `max_age_s`; the age is checked on every use, so nothing older is served."""

    def __init__(self, load: Callable[[], T], *, max_age_s: int = 1) -> None:
        self._load, self._max_age_s = load, max_age_s
        self._lock = threading.Lock()
        self._kept: tuple[int, T] | None = None
        forget_with_all(self)

    def get(self) -> T:
        """Return the value, loading it when there is none or it is too old. A failed load raises and keeps nothing."""
        kept = self._kept
        if kept and time.monotonic_ns() - kept[0] < self._max_age_s * 10**9:
            return kept[1]
        with self._lock:
            kept = self._kept
            if kept and time.monotonic_ns() - kept[0] < self._max_age_s * 10**9:
                return kept[1]
            started_ns = time.monotonic_ns()
            value = self._load()
            self._kept = (started_ns, value)
            return value

    def forget(self) -> None:
        """Drop the kept value: tests, and a process that has just changed what is kept."""
        self._kept = None


class Followed(Generic[T]):
    """Holds what `work()` makes of kept values, for as long as every one of `sources` answers with the same object."""

    def __init__(self, work: Callable[[], T], *sources: Callable[[], object]) -> None:
        self._work, self._sources = work, sources
        self._kept: tuple[tuple[object, ...], T] | None = None

    def get(self) -> T:
        """Return what follows from the values of now, worked out once for each set of them."""
        now = tuple(source() for source in self._sources)
        kept = self._kept
        if kept and all(old is new for old, new in zip(kept[0], now, strict=True)):
            return kept[1]
        value = self._work()
        self._kept = (now, value)
        return value


def forget_with_all(keeper: Forgetful) -> None:
    """Let `forget_all` reach `keeper` too, for as long as it lives."""
    _all.add(keeper)


def forget_all() -> None:
    """Drop everything that this process keeps."""
    for keeper in list(_all):
        keeper.forget()
