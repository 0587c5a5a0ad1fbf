"""Signals, noticed where it is safe: the handler only notes them, whoever waits asks for them."""

import signal
from types import FrameType

from wercker.failures import Stopped

NOTED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """The last signal that asked this process to end, until somebody takes it."""

    def __init__(self) -> None:
        self._pending: int | None = None
        self._seen = False
        self._listening = False

    def listen(self) -> None:
        """Note SIGINT, SIGTERM and SIGHUP from now on instead of ending at once."""
        for number in NOTED:
            signal.signal(number, self._note)
        self._listening = True

    def ignore(self) -> None:
        """Let nothing interrupt what follows: the cleaning up."""
        for number in NOTED:
            signal.signal(number, signal.SIG_IGN)
        self._pending = None
        self._listening = False

    def may_end(self) -> bool:
        """Say whether a reader that has gone may end the run: not while it cleans up, and not once a signal ends it."""
        return self._listening and not self._seen

    def take(self) -> int | None:
        """Return the pending signal and forget it."""
        number, self._pending = self._pending, None
        return number

    def check(self) -> None:
        """Raise Stopped when a signal is pending."""
        if (number := self.take()) is not None:
            raise Stopped(number)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._pending = number
        self._seen = True
