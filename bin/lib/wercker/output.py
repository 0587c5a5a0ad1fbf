"""What a run prints: the steps' lines with secret values taken out, and the headings around them."""

import base64
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import TextIO

from wercker.failures import Stopped
from wercker.interrupts import Interrupts

MARK_OF_A_HEADING = "--> "
SHORTEST = 4  # a secret shorter than this is not looked for: it would hide half of the log
SHORTEST_LINE = 12  # likewise for one line of a secret that has several
SIGNAL_COMES_S = 0.1  # Ctrl-C reaches a reader like `tee` and this program; the reader may be the quicker one


class Printer:
    """Writes whole lines, each secret value replaced by the name of its variable; `interrupts` are those of the run."""

    def __init__(self, secrets: Mapping[str, str], interrupts: Interrupts | None = None) -> None:
        self._interrupts = interrupts or Interrupts()
        self._lock = threading.Lock()
        self._unheard = False
        self._said_so = False
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
        """Print one line. Raises: Stopped, once, when nobody reads any more and nothing else ends the run already."""
        with self._lock:
            if not self._unheard:
                self._unheard = not _write(sys.stdout, self.hide(text))
                if self._unheard:
                    time.sleep(SIGNAL_COMES_S)
            # An interrupted push: end the run, clean up, speak no more. After Ctrl-C the silence is no news.
            if self._unheard and not self._said_so and self._interrupts.may_end():
                self._said_so = True
                raise Stopped(signal.SIGPIPE)

    def error(self, text: str) -> None:
        """Print one line to standard error, if somebody reads it."""
        _write(sys.stderr, self.hide(text))

    def heading(self, text: str) -> None:
        """Print a line of the runner's own."""
        self.line(MARK_OF_A_HEADING + text)


def _write(stream: TextIO, line: str) -> bool:
    """Say whether the line could be written: its pipe may have no reader, its terminal may be gone."""
    try:
        stream.write(line + "\n")
        stream.flush()
    except OSError:
        # What is still in the stream's buffer must not fail the exit a second time.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        return False
    return True


def _shapes(value: str) -> set[str]:
    """How a value may stand in a log: as it is, quoted, encoded, or one of its lines."""
    if len(value) < SHORTEST:
        return set()
    found = {value, shlex.quote(value), base64.b64encode(value.encode()).decode()}
    for line in value.replace("\\n", "\n").splitlines():
        if len(line) >= SHORTEST_LINE and not line.startswith("-----"):
            found.add(line)
    return found
