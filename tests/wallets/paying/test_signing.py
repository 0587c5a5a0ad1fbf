"""wallets.paying.signing: a signer that answers, one that does not, and one whose answer has no end."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings

from tests.wallets.signer.test_server import ADVICE
from wallets.paying.signing import FAILED, MOST_BYTES, can_sign, request_signature
from wallets.signer.advice import Outcome


@pytest.fixture(autouse=True)
def path(settings: LazySettings, tmp_path: Path) -> Path:
    settings.KEY_FILE, settings.SIGNER_SOCKET = "", str(tmp_path / "signer.sock")
    return tmp_path / "signer.sock"


@contextmanager
def signer(path: Path, *answer: bytes) -> Iterator[list[bytes]]:
    """Answer one request in these parts and close; give what was asked."""
    asked: list[bytes] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            asked.append(client.makefile("rb").readline())
            for part in answer:
                client.sendall(part)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield asked
    finally:
        thread.join(20)
        listener.close()


def ask() -> Outcome:
    return request_signature(action="outbid", payout_id=7, advice=ADVICE)


def test_the_request_and_its_answer_cross_whole(path: Path) -> None:
    said = json.dumps(Outcome(attempt_id=9).as_json()).encode()
    with signer(path, said[:10], said[10:] + b"\n") as asked:
        assert ask() == Outcome(attempt_id=9)
    request: dict[str, Any] = json.loads(asked[0])
    assert request == {"action": "outbid", "payout_id": 7, "advice": ADVICE.as_json()}


def padded(length: int) -> bytes:
    """Return a whole answer of so many bytes, its end of line included."""
    said = json.dumps(Outcome(code="x", words="").as_json()).encode()
    return said[:-1] + b" " * (length - len(said) - 1) + b"}\n"


@pytest.mark.parametrize(
    ("name", "answer", "code"),
    [
        ("as long as may be", [padded(MOST_BYTES)], "x"),
        ("no end", [b"{}"], "signer_unreachable"),
        ("nothing", [], "signer_unreachable"),
        ("no JSON", [b"yes\n"], "signer_unreachable"),
        ("something else", [b'{"signed": true}\n'], "signer_unreachable"),
        ("more than an answer", [b"x" * (2 * MOST_BYTES + 1) + b"\n"], "signer_unreachable"),
    ],
)
def test_what_makes_no_sense_is_no_answer(path: Path, name: str, answer: list[bytes], code: str) -> None:
    with signer(path, *answer):
        outcome = ask()
    assert (outcome.code, outcome.signed) == (code, False)
    assert code == "x" or code in FAILED
    assert code == "x" or "ethereum" in outcome.words


def test_nobody_listens(path: Path, settings: LazySettings) -> None:
    assert not can_sign()
    assert ask().code == "signer_unreachable"
    path.write_text("left by a killed one")
    assert not can_sign()
    settings.SIGNER_SOCKET = ""
    assert not can_sign()


def test_a_process_that_holds_keys_asks_nobody(path: Path, settings: LazySettings) -> None:
    settings.KEY_FILE = "keys.json"
    assert can_sign()
