"""wallets.send: when stored bytes go out, what is written down before, and what an answer may change."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings

from tests.wallets.signer.rows import NOW, make_attempt, make_payout, raw_numbered
from wallets import states
from wallets.chains.protocol import Refused, Sent, Unknown
from wallets.freeze import freeze, funded_from
from wallets.models import Attempt, Payout
from wallets.send import RESEND_AFTER, send_due_attempts

pytestmark = pytest.mark.django_db
TICK = timedelta(microseconds=1)
UNDERPRICED = Refused("-32000", "replacement transaction underpriced")


class Node:
    """A node that gives one answer, and keeps what it was sent; `before` looks at our files at that moment."""

    code = "ethereum"

    def __init__(self, answer: Sent | Refused | Unknown, before: Callable[[], object] = lambda: None) -> None:
        self.answer, self.before = answer, before
        self.got: list[str] = []

    def broadcast(self, raw: str) -> Sent | Refused | Unknown:
        self.before()
        self.got.append(raw)
        return self.answer


@pytest.fixture(autouse=True)
def kept(settings: LazySettings, tmp_path: Path) -> Path:
    settings.PAYOUT_JOURNAL = str(tmp_path / "payouts.journal")
    return tmp_path / "payouts.journal"


def send(node: Node, **options: Any) -> int:
    return send_due_attempts(node=node, at=NOW, **options)  # type: ignore[arg-type] -- as much of a node as is asked


def due(nonce: int = 1, *, payout: Payout | None = None, n: int = 1, **fields: Any) -> Attempt:
    payout = payout or make_payout("ethereum", state=fields.pop("state", states.SIGNED), **fields.pop("of_payout", {}))
    return make_attempt(payout, raw_numbered(nonce), n, **({"next_send_at": NOW} | fields))


@pytest.mark.parametrize(("ahead", "sent"), [(-TICK, 1), (timedelta(0), 1), (TICK, 0)])
def test_an_attempt_goes_when_it_is_due_and_again_half_a_minute_later(ahead: timedelta, sent: int) -> None:
    attempt = due(next_send_at=NOW + ahead)
    node = Node(Sent("0x1"))
    assert send(node) == sent
    assert node.got == [attempt.raw] * sent
    attempt.refresh_from_db()
    assert attempt.next_send_at == (NOW + timedelta(seconds=30) if sent else NOW + ahead)
    assert timedelta(seconds=30) == RESEND_AFTER
    assert send(node) == 0


def test_nothing_of_another_chain_or_without_a_time_is_sent() -> None:
    due(next_send_at=None)
    make_attempt(make_payout("litecoin"), ("00", "ab"), next_send_at=NOW)
    assert send(Node(Sent("0x1"))) == 0


def test_it_is_written_down_outside_of_the_database_before_any_node_has_it(kept: Path) -> None:
    attempt = due()
    lines: list[dict[str, Any]] = []
    node = Node(Sent("0x1"), before=lambda: lines.extend(map(json.loads, kept.read_text().splitlines())))
    send(node)
    (line,) = lines
    assert (line["txid"], line["payout"], line["n"], line["at"]) == (
        attempt.txid,
        attempt.payout.purpose,
        1,
        NOW.isoformat(),
    )
    attempt.refresh_from_db()
    assert (attempt.journaled_at, attempt.sent_at, attempt.answer) == (NOW, NOW, "taken")


def test_it_is_written_down_once(kept: Path) -> None:
    earlier = NOW - timedelta(hours=1)
    attempt = due(journaled_at=earlier)
    send(Node(Sent("0x1")))
    assert not kept.exists()
    attempt.refresh_from_db()
    assert (attempt.journaled_at, attempt.sent_at) == (earlier, NOW)


@pytest.mark.parametrize("answer", [Sent("0x1"), UNDERPRICED, Unknown("no answer in time")])
def test_it_stays_written_down_whatever_the_answer(answer: Any) -> None:
    attempt = due()
    assert send(Node(answer)) == isinstance(answer, Sent)
    attempt.refresh_from_db()
    assert attempt.journaled_at == NOW
    assert (attempt.sent_at is not None) is isinstance(answer, Sent)
    assert attempt.next_send_at == NOW + RESEND_AFTER


# state and problem before, the answer, state and problem after, whether orders hear of it
ANSWERS: list[tuple[str, str, Any, str, str, bool]] = [
    (states.SIGNED, "", Sent("0x1"), states.BROADCAST, "", True),
    (states.SIGNED, "fee_refused: x", Sent("0x1"), states.BROADCAST, "", True),
    (states.SIGNED, "other: kept", Sent("0x1"), states.BROADCAST, "other: kept", True),
    (states.BROADCAST, "node_silent: x", Sent("0x1"), states.BROADCAST, "", False),
    (states.BROADCAST, "", UNDERPRICED, states.BROADCAST, "fee_refused: -32000 replacement transaction underpriced", False),
    (states.SIGNED, "", UNDERPRICED, states.SIGNED, "fee_refused: -32000 replacement transaction underpriced", False),
    (states.SIGNED, "", Unknown("no answer"), states.SIGNED, "node_silent: ", False),
    (states.SIGNED, "other: kept", UNDERPRICED, states.SIGNED, "other: kept", False),
    (states.IN_DOUBT, "used_elsewhere: x", Sent("0x1"), states.IN_DOUBT, "used_elsewhere: x", False),
    (states.IN_DOUBT, "", UNDERPRICED, states.IN_DOUBT, "", False),
]  # fmt: skip


@pytest.mark.parametrize(("state", "problem", "answer", "state_after", "problem_after", "news"), ANSWERS)
def test_what_an_answer_changes(state, problem, answer, state_after, problem_after, news) -> None:
    attempt = due(state=state, of_payout={"problem": problem})
    send(Node(answer))
    payout = Payout.objects.get(pk=attempt.payout_id)
    assert (payout.state, payout.news) == (state_after, news)
    if problem_after.endswith(": "):
        assert payout.problem.startswith(problem_after)
    else:
        assert payout.problem == problem_after


@pytest.mark.parametrize("answer", [Sent("0x1"), UNDERPRICED])
def test_only_the_latest_attempt_speaks_for_its_payout(answer: Any) -> None:
    """The earlier one is refused because the later one outbid it."""
    first = due(of_payout={"problem": "node_silent: x"})
    due(2, payout=first.payout, n=2, next_send_at=None)
    send(Node(answer))
    assert Payout.objects.get().problem == "node_silent: x"


def test_what_the_node_said_stands_at_the_attempt() -> None:
    attempt = due()
    send(Node(UNDERPRICED))
    attempt.refresh_from_db()
    assert attempt.answer == "refused: fee_refused: -32000 replacement transaction underpriced"
    Attempt.objects.update(next_send_at=NOW)
    send(Node(Unknown("gone")))
    attempt.refresh_from_db()
    assert attempt.answer.startswith("unknown: node_silent: ")


FROZEN = [
    ("ALL", None, 0),
    ("ETH", None, 0),
    (funded_from("LTC"), None, 1),  # nothing of it is funded so
    ("LTC", None, 1),
    ("ETH", NOW - timedelta(hours=1), 1),  # what a node has had is sent again: it may be mined anyway
    ("ALL", NOW - timedelta(hours=1), 1),
]


@pytest.mark.parametrize(("scope", "sent_at", "sent"), FROZEN)
def test_a_freeze_stops_the_first_sending_alone(scope: str, sent_at: Any, sent: int) -> None:
    attempt = due(sent_at=sent_at)
    freeze(scope=scope, reason="x", at=NOW, by="ann")
    node = Node(Sent("0x1"))
    assert send(node) == sent
    assert len(node.got) == sent
    attempt.refresh_from_db()
    assert attempt.next_send_at == NOW + RESEND_AFTER  # so that frozen ones make room for those behind them


def test_a_frozen_one_does_not_stop_those_behind_it() -> None:
    due()
    other = due(2, sent_at=NOW - timedelta(hours=1))
    freeze(scope="ETH", reason="x", at=NOW, by="ann")
    node = Node(Sent("0x1"))
    assert send(node) == 1
    assert node.got == [other.raw]


def test_oldest_first_and_as_many_as_asked_for() -> None:
    attempts = [due(nonce) for nonce in (1, 2, 3)]
    node = Node(Sent("0x1"))
    assert send(node, limit=2) == 2
    assert node.got == [attempt.raw for attempt in attempts[:2]]


def test_what_another_worker_claimed_meanwhile_is_left_to_it() -> None:
    first, second, third = due(1), due(2), due(3)
    node = Node(Sent("0x1"))

    def claim_second() -> None:
        Attempt.objects.filter(pk=second.pk).update(next_send_at=NOW + RESEND_AFTER)

    node.before = claim_second
    assert send(node) == 2
    assert node.got == [first.raw, third.raw]


def test_the_steps_of_one_sending_in_their_order() -> None:
    due()
    steps: list[str] = []
    send(Node(Sent("0x1")), step=steps.append)
    assert steps == ["claimed", "journaled", "sent", "noted"]
