"""Numbers that the database gives out once, taken some at a time: a later use costs no round trip and no lock.

What a process has taken and not used is lost when it ends, so this is for numbers that may have gaps.
"""

import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from django.db import connection

from core.snapshot import forget_with_all

T = TypeVar("T")


class Pool(Generic[T]):
    """Holds what `load(n)` took from the database; safe among threads, and emptied in a process that is forked off.

    Inside a transaction one is taken for that use alone: if it is rolled back, the database gives the same one out again.
    """

    def __init__(self, load: Callable[[int], Sequence[T]], *, some: int) -> None:
        self._load, self._some = load, some
        self._kept: deque[T] = deque()
        forget_with_all(self)
        os.register_at_fork(after_in_child=self.forget)

    def take(self) -> T:
        """Return one that nobody else was given; no statement, or the one of `load`."""
        if connection.in_atomic_block:
            return self._load(1)[0]
        try:
            return self._kept.popleft()
        except IndexError:
            first, *others = self._load(self._some)
            self._kept.extend(others)
            return first

    def give_back(self, unused: T) -> None:
        """Let the next one take what was not used after all."""
        if not connection.in_atomic_block:
            self._kept.appendleft(unused)

    def forget(self) -> None:
        """Give up what is kept."""
        self._kept.clear()
