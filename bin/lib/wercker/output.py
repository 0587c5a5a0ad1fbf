"""What a run prints: the steps' lines with secret values taken out, and the headings around them."""

import base64
import os
import shlex
import signal
import sys
import threading
from collections.abc import Mapping

from wercker.failures import Stopped

MARK_OF_A_HEADING = "--> "
SHORTEST = 4  # a secret shorter than this is not looked for: it would hide half of the log
SHORTEST_LINE = 12  # likewise for one line of a secret that has several


class Printer:
    """Writes whole lines to standard output, each secret value replaced by the name of its variable."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._unheard = False
        shapes = {shape: name for name, value in secrets.items() for shape in _shapes(value)}
        # Longest first: what contains another secret goes as a whole.
        self._shapes = sorted(shapes.items(), key=lambda item: -len(item[0]))

    def hide(self, text: str) -> str:
        """Return the text without any secret value."""
        for shape, name in self._shapes:
            if shape in text:
                text = text.replace(shape, f"[{name} hidden]")
        return text

    def line(self, text: str) -> None:
        """Print one line."""
        with self._lock:
            if self._unheard:
                return
            try:
                sys.stdout.write(self.hide(text) + "\n")
                sys.stdout.flush()
            except BrokenPipeError as error:  # an interrupted push: end the run, clean up, speak no more
                self._unheard = True
                # What is still in the stream's buffer must not fail the exit a second time.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise Stopped(signal.SIGPIPE) from error

    def heading(self, text: str) -> None:
        """Print a line of the runner's own."""
        self.line(MARK_OF_A_HEADING + text)


def _shapes(value: str) -> set[str]:
    """How a value may stand in a log: as it is, quoted, encoded, or one of its lines."""
    if len(value) < SHORTEST:
        return set()
    found = {value, shlex.quote(value), base64.b64encode(value.encode()).decode()}
    for line in value.replace("\\n", "\n").splitlines():
        if len(line) >= SHORTEST_LINE and not line.startswith("-----"):
            found.add(line)
    return found
