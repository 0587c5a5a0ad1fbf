"""wallets.signer.server: whose name a signer's socket is, while one follows the other."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from wallets.signer import server

PATIENCE_S = 20


class Running:
    """A signer's server in a thread of its own."""

    def __init__(self, path: Path) -> None:
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._serve, args=(path,))
        self.thread.start()

    def _serve(self, path: Path) -> None:
        server.serve(chain="ethereum", path=path, go_on=lambda: not self.stopped.is_set())

    def ended(self) -> bool:
        self.thread.join(PATIENCE_S)
        return not self.thread.is_alive()

    def stop(self) -> None:
        self.stopped.set()
        assert self.ended()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(server, "IDLE_S", 0.1)
    return tmp_path / "ethereum.sock"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(path: Path, stack: ExitStack, *, after: int = 0) -> Running:
    """Start one and wait until the path is another file than `after`."""
    running = Running(path)
    stack.callback(running.stop)
    until = time.monotonic() + PATIENCE_S
    while file_of(path) in (0, after):
        assert time.monotonic() < until
        time.sleep(0.01)
    return running


def file_of(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_ino
    return 0


def ask(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asks:
        asks.settimeout(PATIENCE_S)
        asks.connect(str(path))
        asks.sendall(b"{}\n")
        return asks.recv(1000)


def test_a_signer_whose_place_is_taken_ends_and_leaves_the_next_one_its_socket(path: Path, stack: ExitStack) -> None:
    """It removed it: the next one listened where nobody could find it, alive by its heartbeat, and no payout was signed."""
    old = start(path, stack)
    start(path, stack, after=file_of(path))

    assert old.ended()
    assert b"bad_request" in ask(path)


def test_a_signer_that_is_told_to_end_leaves_the_next_one_its_socket(path: Path, stack: ExitStack) -> None:
    old = start(path, stack)
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        old.stop()
        assert path.exists()


def test_a_signer_whose_socket_was_removed_ends(path: Path, stack: ExitStack) -> None:
    only = start(path, stack)
    path.unlink()
    assert only.ended()


def test_a_signer_whose_socket_was_gone_before_it_looked_ends(
    path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nothing would ever differ from nothing, and it would wait where nobody finds it."""
    monkeypatch.setattr(server, "_file_of", lambda _path: None)
    only = Running(path)
    stack.callback(only.stop)
    assert only.ended()


def test_a_signer_that_ends_removes_its_own_socket(path: Path, stack: ExitStack) -> None:
    start(path, stack).stop()
    assert not path.exists()
