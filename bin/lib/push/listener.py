"""Notices that nobody listens to a push any more, which Git hides from its hooks: listener.py HOOK [PROCESS].

Git goes on with a hook when the pusher is gone, and no longer reads what it says; the pipe then fills and the next word
blocks for ever. Once nothing has been read for PUSH_DEAF_SECONDS (30) this tells PROCESS to end, if there is one, and
reads in Git's place until the process HOOK has ended.
"""

import fcntl
import os
import signal
import struct
import sys
import termios
import time
from pathlib import Path

DEAF_S = float(os.environ.get("PUSH_DEAF_SECONDS", "30"))
LOOK_S = 0.5
STREAM = 2


def unread() -> int:
    """Return how many bytes of what the hook has said wait to be read; 0 when it is no pipe."""
    try:
        answer = fcntl.ioctl(STREAM, termios.FIONREAD, struct.pack("i", 0))
    except OSError:
        return 0
    return int(struct.unpack("i", answer)[0])


def runs(process: int) -> bool:
    """Say whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until_deaf(hook: int) -> bool:
    """Return True once nobody has read for too long, False when the hook has ended before."""
    before, since = 0, time.monotonic()
    while runs(hook):
        now = unread()
        if now == 0 or now < before:
            since = time.monotonic()
        if time.monotonic() - since > DEAF_S:
            return True
        before = now
        time.sleep(LOOK_S)
    return False


def read_in_its_place(hook: int) -> None:
    """Empty the pipe until the hook has ended."""
    pipe = os.open(f"/proc/self/fd/{STREAM}", os.O_RDONLY | os.O_NONBLOCK)
    while runs(hook):
        try:
            os.read(pipe, 65536)
        except BlockingIOError:
            time.sleep(0.05)


def main(hook: int, process: int = 0) -> None:
    """Watch the hook's standard error."""
    if wait_until_deaf(hook):
        if process:
            os.kill(process, signal.SIGTERM)
        read_in_its_place(hook)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
