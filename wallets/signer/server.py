"""The signer's process: one request at a time over a local socket, one line of JSON each way, one network.

A request names a payout and brings the worker's advice; what may be signed is decided by wallets.signer.checks. Whoever can
reach the socket can ask, so nothing in a request is believed.
"""

import json
import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import close_old_connections

from core.clock import now
from core.database_clock import clock_is_right
from wallets.signer.advice import Advice, Outcome
from wallets.signer.verbs import VERBS

MOST_BYTES = 1 << 20  # of one request: advice lists our own unmined transactions
PATIENCE_S = 5  # for a whole request, however it comes: everybody else waits meanwhile
# What waited in the socket while this process stood still brings fees and a mempool of then, and its worker has gone: it
# asks again. A round of a worker takes less, and clocks may differ by five seconds.
ADVICE_LIVES = timedelta(seconds=30)
IDLE_S = 2  # between two looks at whether to go on

log = logging.getLogger(__name__)


class BadRequest(Exception):
    """What came over the socket is no request of this network; the message says what is wrong with it."""


def serve(*, chain: str, path: Path, go_on: Callable[[], bool], turn: Callable[[], None] = lambda: None) -> None:
    """Answer requests until `go_on` says no; `turn` is called after each and every few seconds without one.

    The socket has mode 0660: the worker of the network shares its group, nobody else. Without its name nobody finds it: when
    another signer has taken the name, or somebody has removed it, this one ends, so that whoever started it can see. The name
    of another it leaves alone. Raises: OSError when it cannot listen.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    before = os.umask(0o117)
    try:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
    finally:
        os.umask(before)
    named = _file_of(path)
    with listener:
        listener.listen(8)
        listener.settimeout(IDLE_S)
        while go_on():
            if named is None or _file_of(path) != named:  # none: removed before it was looked at
                log.error("%s is not the socket of this signer of %s any more: it ends", path, chain)
                return
            with suppress(TimeoutError):
                asked, _ = listener.accept()
                with asked:
                    _answer(asked, chain)
            close_old_connections()
            turn()
    if _file_of(path) == named:
        path.unlink(missing_ok=True)


def _file_of(path: Path) -> tuple[int, int] | None:
    """Return what tells the file at a path apart, nothing when there is none. A bound socket keeps its inode from others."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _answer(asked: socket.socket, chain: str) -> None:
    try:
        outcome = _handle(_read_line(asked), chain)
    except BadRequest as error:
        outcome = Outcome(code="bad_request", words=str(error))
    except Exception:  # one request that fails ends no signer; the log has it
        log.exception("a request could not be answered")
        outcome = Outcome(code="signer_failed", words="the signer's log says why")
    asked.settimeout(PATIENCE_S)
    with suppress(OSError):  # whoever asked may be gone: what was signed stands in the rows
        asked.sendall(json.dumps(outcome.as_json()).encode() + b"\n")


def _read_line(asked: socket.socket) -> bytes:
    """Raises: BadRequest. A request that arrives byte by byte has no longer than one that does not arrive."""
    got = bytearray()
    end = time.monotonic() + PATIENCE_S
    try:
        while not got.endswith(b"\n"):
            asked.settimeout(max(end - time.monotonic(), 0))  # 0: what is there is read, and nothing is waited for
            part = asked.recv(65536)
            if not part:
                raise BadRequest("it ended before its end of line")
            got += part
            if len(got) > MOST_BYTES:
                raise BadRequest(f"it is longer than {MOST_BYTES} bytes")
    except (TimeoutError, BlockingIOError) as error:
        raise BadRequest(f"it was not complete within {PATIENCE_S} s") from error
    return bytes(got)


def _handle(line: bytes, chain: str) -> Outcome:
    try:
        request: Any = json.loads(line)
        verb = VERBS[request["action"]]
        payout_id = request["payout_id"]
        advice = Advice.from_json(request["advice"])
        age = now() - advice.at
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"it cannot be read: {type(error).__name__}") from error
    if type(payout_id) is not int or advice.chain != chain:
        raise BadRequest(f"this is the signer of {chain}")
    if not clock_is_right():
        return Outcome(code="signer_clock", words=f"the clock of the signer of {chain} is wrong")
    if age > ADVICE_LIVES:
        return Outcome(code="advice_old", words=f"what the node said is {age.total_seconds():.0f} s old")
    # Else the worker's clock decides nothing here, and what a person alone may decide is not decided over a socket.
    return verb(payout_id, replace(advice, at_iso=now().isoformat(), by="machine", because=""))
