"""The one door to the signer: whatever wants a signature asks here, over the signer's local socket.

A process that holds keys itself signs without a socket: tests, and a developer's shell. A served worker holds none.
"""

import json
import socket
import time

from django.conf import settings

from wallets.signer.advice import Action, Advice, Outcome
from wallets.signer.keys import has_keys
from wallets.signer.verbs import VERBS

# Codes that say nothing about the payout: the signer could not look at it, or did not answer.
FAILED = ("signer_failed", "signer_unreachable", "signer_clock", "bad_request", "advice_old")
PATIENCE_S = 5  # a signature takes milliseconds, a lock at most three seconds; the chain is not read meanwhile
REST_S = 10  # a signer that let us wait so long is not asked again before: a stopped one must stop nothing else
MOST_BYTES = 65536  # of an answer
_ask_again_at: dict[str, int] = {}  # by socket, on the monotonic clock; paces, decides nothing


def can_sign() -> bool:
    """Say whether a signer answers to this process at all."""
    return has_keys() or _listens()


def request_signature(*, action: Action, payout_id: int, advice: Advice) -> Outcome:
    """Ask for one signature and return what became of it. Never inside a transaction: the signer commits its own.

    Safe to repeat: the signer looks at the rows again and refuses what was done meanwhile. A signer that does not answer is
    an Outcome too; it may have signed all the same, and the rows say so.
    """
    if has_keys():
        return VERBS[action](payout_id, advice)
    if _rests():
        return Outcome(code="signer_unreachable", words=f"the signer of {advice.chain} did not answer a moment ago")
    request = {"action": action, "payout_id": payout_id, "advice": advice.as_json()}
    try:
        with _connect() as signer:
            signer.sendall(json.dumps(request).encode() + b"\n")
            return Outcome.from_json(json.loads(_read(signer)))
    except (OSError, ValueError, TypeError) as error:
        if isinstance(error, TimeoutError | BlockingIOError):
            _ask_again_at[settings.SIGNER_SOCKET] = time.monotonic_ns() + REST_S * 10**9
        return Outcome(code="signer_unreachable", words=f"the signer of {advice.chain} did not answer: {error}")


def _rests() -> bool:
    return time.monotonic_ns() < _ask_again_at.get(settings.SIGNER_SOCKET, 0)


def _listens() -> bool:
    if not settings.SIGNER_SOCKET or _rests():
        return False
    try:
        _connect().close()
    except OSError:
        return False
    return True


def _connect() -> socket.socket:
    signer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        signer.settimeout(PATIENCE_S)
        signer.connect(settings.SIGNER_SOCKET)
    except OSError:
        signer.close()
        raise
    return signer


def _read(signer: socket.socket) -> bytes:
    got = bytearray()
    while not got.endswith(b"\n"):
        part = signer.recv(MOST_BYTES)
        if not part or len(got) > MOST_BYTES:
            raise ValueError("its answer has no end")
        got += part
    return bytes(got)
