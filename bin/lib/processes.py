"""What this machine runs, as far as a run has to know: who holds a port, which port is free, which processes of a run are left.

Plain Python without packages: it runs before anything is installed. Linux only (/proc).
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path


def is_free(port: int) -> bool:
    """Say whether something could listen on this port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(wished: int) -> int:
    """Return `wished` if it is free, else some port that is."""
    if wished and is_free(wished):
        return wished
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def holder(port: int) -> str:
    """Describe the process that listens on a port: "gunicorn (process 123)"; empty when no rights allow to see it."""
    inodes = set(_listening_inodes(port))
    for process in _processes():
        try:
            held = {str(link.readlink()) for link in (process / "fd").iterdir()}
        except OSError:  # ended meanwhile, or somebody else's
            continue
        if held & {f"socket:[{inode}]" for inode in inodes}:
            return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def end(mark: str, wait_s: int = 8) -> int:
    """End every process that carries `mark` (NAME=value) in its environment, gently, then not; return how many."""
    found = set(_marked(mark))
    for number in found:
        _signal(number, signal.SIGTERM)
    deadline = time.monotonic() + wait_s
    while (left := set(_marked(mark))) and time.monotonic() < deadline:
        time.sleep(0.1)
    for number in left:
        _signal(number, signal.SIGKILL)
    return len(found)


def describe(mark: str) -> Iterator[str]:
    """Yield "NUMBER COMMAND" of every process that carries `mark` in its environment."""
    for number in _marked(mark):
        try:
            command = Path(f"/proc/{number}/cmdline").read_bytes()
        except OSError:  # ended meanwhile
            continue
        yield f"{number} {command.replace(bytes(1), b' ').decode(errors='replace').strip()[:100]}"


def _processes() -> Iterator[Path]:
    return (path for path in Path("/proc").iterdir() if path.name.isdigit())


def _listening_inodes(port: int) -> Iterator[str]:
    listening = "0A"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:  # no IPv6 here
            continue
        for fields in map(str.split, lines):
            if fields[3] == listening and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _marked(mark: str) -> Iterator[int]:
    for process in _processes():
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:  # ended meanwhile, or somebody else's
            continue
        if mark.encode() in environment and state != "Z" and int(process.name) != os.getpid():
            yield int(process.name)


def _signal(number: int, which: signal.Signals) -> None:
    try:
        os.kill(number, which)
    except ProcessLookupError:
        return


def main(command: str, argument: str) -> int:
    """Run one of the commands below; `is-free` answers with its exit status, the others print."""
    if command == "is-free":
        return 0 if is_free(int(argument)) else 1
    if command == "free":
        print(free_port(int(argument)))
    elif command == "holder":
        print(holder(int(argument)))
    elif command == "end":
        print(end(argument))
    elif command == "list":
        for line in describe(argument):
            print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
