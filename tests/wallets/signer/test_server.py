"""wallets.signer.server: what a request over the socket must be, and that nothing it says about time or person is believed."""

import json
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.clock import clock_reads
from wallets.signer import server
from wallets.signer.advice import Advice, Outcome
from wallets.signer.server import MOST_BYTES, BadRequest, serve

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ADVICE = Advice(
    chain="ethereum",
    chain_id=1,
    fee_rate_minor=2,
    relay_rate_minor=3,
    base_minor=4,
    priority_minor=5,
    gas=6,
    first_nonce=7,
    balance_minor=10**30,
    in_mempool=("ab", "cd"),
    at_iso="2026-11-23T11:59:31+00:00",
    by="ann",
    because="a thief says so",
)
REQUEST: dict[str, Any] = {"action": "pay", "payout_id": 1, "advice": ADVICE.as_json()}


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Advice]]:
    """Answer each request to pay with attempt 9, and keep what was asked."""
    asked: list[tuple[int, Advice]] = []

    def pay(payout_id: int, advice: Advice) -> Outcome:
        asked.append((payout_id, advice))
        return Outcome(attempt_id=9)

    def fail(_payout_id: int, _advice: Advice) -> Outcome:
        raise RuntimeError("the database is gone")

    monkeypatch.setattr(server, "VERBS", {"pay": pay, "outbid": fail})
    monkeypatch.setattr(server, "close_old_connections", lambda: None)
    monkeypatch.setattr(server, "clock_is_right", lambda: True)
    return asked


@contextmanager
def listening(path: Path, *, turns: list[int] | None = None) -> Iterator[Callable[[bytes], dict[str, Any]]]:
    """Serve ethereum on a socket for the body's time, and give what asks it."""
    over, ready = threading.Event(), threading.Event()

    def go_on() -> bool:
        ready.set()
        return not over.is_set()

    def ask(line: bytes) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(line)
            client.shutdown(socket.SHUT_WR)
            answer: dict[str, Any] = json.loads(client.makefile("rb").readline())
            return answer

    def turn() -> None:
        if turns is not None:
            turns.append(1)

    thread = threading.Thread(target=serve, kwargs={"chain": "ethereum", "path": path, "go_on": go_on, "turn": turn})
    with clock_reads(lambda: NOW):
        thread.start()
        assert ready.wait(20)
        try:
            yield ask
        finally:
            over.set()
            with socket.socket(socket.AF_UNIX) as last:  # so that it need not wait for its next look
                last.connect(str(path))
            thread.join(20)


def said(**changed: Any) -> bytes:
    return json.dumps({**REQUEST, **changed}).encode() + b"\n"


def advised(**changed: Any) -> dict[str, Any]:
    return {**ADVICE.as_json(), **changed}


REQUESTS: list[tuple[str, bytes, str]] = [
    ("a request", said(), ""),
    ("no JSON", b"pay\n", "bad_request"),
    ("no object", b"[]\n", "bad_request"),
    ("nothing", b"", "bad_request"),
    ("no end of line", said()[:-1], "bad_request"),
    ("an unknown verb", said(action="steal"), "bad_request"),
    ("no payout", json.dumps({"action": "pay", "advice": ADVICE.as_json()}).encode() + b"\n", "bad_request"),
    ("a payout by its purpose", said(payout_id="1"), "bad_request"),
    ("a payout by yes or no", said(payout_id=True), "bad_request"),
    ("a payout and a half", said(payout_id=1.5), "bad_request"),
    ("advice of another network", said(advice=advised(chain="litecoin")), "bad_request"),
    ("advice with a field too many", said(advice=advised(extra=1)), "bad_request"),
    ("advice with a field too few", said(advice={"chain": "ethereum", "in_mempool": []}), "bad_request"),
    ("a verb that fails", said(action="outbid"), "signer_failed"),
]


def test_each_request_is_answered_and_the_signer_goes_on(heard: list[tuple[int, Advice]], tmp_path: Path) -> None:
    turns: list[int] = []
    path = tmp_path / "run" / "new" / "ethereum.sock"
    with listening(path, turns=turns) as ask:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        answers = {name: ask(line) for name, line, _ in REQUESTS}
    assert {name: answer["code"] for name, answer in answers.items()} == {name: code for name, _, code in REQUESTS}
    assert answers["a request"]["attempt_id"] == 9
    assert len(turns) >= len(REQUESTS)
    assert not path.exists()
    # Whoever asks, it is a machine that asks now: what a person alone may decide is not decided over a socket.
    ((payout_id, advice),) = heard
    assert payout_id == 1
    assert (advice.at_iso, advice.by, advice.because) == (NOW.isoformat(), "machine", "")
    assert (advice.chain, advice.balance_minor, advice.in_mempool) == ("ethereum", 10**30, ("ab", "cd"))


def test_nothing_is_signed_while_the_clock_is_wrong(
    heard: list[tuple[int, Advice]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "clock_is_right", lambda: False)
    with listening(tmp_path / "ethereum.sock") as ask:
        assert ask(said())["code"] == "signer_clock"
        assert ask(said(payout_id="1"))["code"] == "bad_request"
    assert heard == []


def test_a_socket_that_a_killed_signer_left_is_no_obstacle(heard: list[tuple[int, Advice]], tmp_path: Path) -> None:
    path = tmp_path / "ethereum.sock"
    path.write_text("left")
    before = os.umask(0o022)
    try:
        with listening(path) as ask:
            assert ask(said())["attempt_id"] == 9
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_a_request_that_is_gone_before_its_answer_ends_no_signer(heard: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "ethereum.sock"
    with listening(path) as ask:
        for _ in range(3):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.sendall(said())
        assert ask(said())["attempt_id"] == 9


@pytest.mark.parametrize(
    ("length", "fits"),
    [(MOST_BYTES - 1, True), (MOST_BYTES, True), (MOST_BYTES + 1, False)],
    ids=["one below", "at it", "one above"],
)
def test_a_request_is_at_most_so_long(length: int, fits: bool) -> None:
    ours, theirs = socket.socketpair()
    line = b"x" * (length - 1) + b"\n"

    def send() -> None:
        with theirs:
            theirs.sendall(line)

    sender = threading.Thread(target=send)
    with ours:
        sender.start()
        if fits:
            assert server._read_line(ours) == line
        else:
            with pytest.raises(BadRequest, match="longer than"):
                server._read_line(ours)
    sender.join(20)


def test_advice_and_outcome_cross_as_they_are() -> None:
    assert Advice.from_json(json.loads(json.dumps(ADVICE.as_json()))) == ADVICE
    assert (ADVICE.has_nonces, ADVICE.at) == (True, datetime(2026, 11, 23, 11, 59, 31, tzinfo=UTC))
    for outcome in (Outcome(attempt_id=7), Outcome(code="ceiling", words="it is over")):
        assert Outcome.from_json(json.loads(json.dumps(outcome.as_json()))) == outcome
    assert (Outcome(attempt_id=0).signed, Outcome().signed) == (True, False)
    assert (Outcome(attempt_id=7).problem, Outcome(code="a", words="b").problem) == ("", "a: b")


def test_when_the_time_is_over_what_is_there_is_read_and_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PATIENCE_S", -0.5)
    for sent, whole in ((b"x" * 10 + b"\n", True), (b"x" * 10, False)):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(sent)
            if whole:
                assert server._read_line(ours) == sent
            else:
                with pytest.raises(BadRequest, match="not complete within"):
                    server._read_line(ours)
