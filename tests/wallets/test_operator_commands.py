"""Commands of the operator: a slip of the fingers is named, and never answered as if it had worked."""

import json
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from wallets import journal
from wallets.chains.fake import FakeChain
from wallets.freeze import ALL, freeze, frozen_scopes, list_open
from wallets.management.commands import reconcile
from wallets.models import Freeze, Quarantine
from wallets.reading.quarantine import set_aside

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

AGREED = Mock(height=3, difference=Mock(minor=0), strange={}, forgeries=())


@pytest.mark.parametrize(
    ("typed", "stopped"), [("ltc", "LTC"), ("all", "ALL"), ("from:eth", "from:ETH"), (" LTC ", "LTC")]
)
def test_a_freeze_is_understood_in_any_case(typed: str, stopped: str) -> None:
    call_command("freeze", typed, because="an alarm")
    assert frozen_scopes() == {stopped}

    call_command("freeze", typed, lift=True, because="looked into")
    assert frozen_scopes() == frozenset()


@pytest.mark.parametrize("typed", ["LTCC", "litecoin", "EUR", "from:", "", "*"])
def test_a_freeze_that_would_stop_nothing_is_refused(typed: str) -> None:
    with pytest.raises(CommandError, match=r"would stop nothing.*ALL.*LTC.*from:LTC"):
        call_command("freeze", typed, because="an alarm")
    assert frozen_scopes() == frozenset()


def test_a_freeze_that_is_there_can_be_lifted_whatever_it_is_called() -> None:
    freeze(scope="OLDCOIN", reason="an asset of before", at=NOW, by="machine")

    call_command("freeze", "OLDCOIN", lift=True, because="no longer traded")

    assert frozen_scopes() == frozenset()


def test_a_freeze_is_listed_with_its_reason_and_lifted_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Fault 38: the list had no reason, time or author, and --lift lifted every reason of a scope."""
    first = freeze(scope="LTC", reason="a coin is missing", at=NOW, by="machine")
    second = freeze(scope="LTC", reason="a nonce was used", at=NOW, by="anna")

    call_command("freeze")
    listed = capsys.readouterr().out
    assert f"{first.pk}  LTC  since 2026-11-23 12:00:00 UTC by machine: a coin is missing" in listed
    assert f"{second.pk}  LTC  since 2026-11-23 12:00:00 UTC by anna: a nonce was used" in listed

    with pytest.raises(CommandError, match=f"{first.pk} .a coin is missing., {second.pk} .a nonce was used."):
        call_command("freeze", "LTC", lift=True, because="both, surely")
    call_command("freeze", str(first.pk), lift=True, because="found it")
    assert [row.pk for row in list_open()] == [second.pk]
    assert "still frozen by" in capsys.readouterr().out
    with pytest.raises(CommandError):
        call_command("freeze", str(first.pk), lift=True, because="again")

    call_command("freeze", "LTC", lift=True, because="only one is left")
    assert frozen_scopes() == frozenset()


def test_a_journal_is_explained_by_lifting_what_it_stopped_and_by_nothing_else(
    settings: LazySettings, tmp_path: Path
) -> None:
    """Explained, a payment counts as paid for ever: not by a lift that is refused, nor by one of another freeze."""
    settings.PAYOUT_JOURNAL = str(tmp_path / "journal")
    line = {"at": "x", "chain": "ethereum", "txid": "0x1", "payout": "order:O1:settle", "n": 1}
    Path(settings.PAYOUT_JOURNAL).write_text(json.dumps(line) + "\n")
    by_hand = freeze(scope=ALL, reason="a quiet night", at=NOW, by="anna")
    call_command("restored")
    (restored,) = Freeze.objects.exclude(pk=by_hand.pk)

    with pytest.raises(CommandError, match="Several"):
        call_command("freeze", "ALL", lift=True, because="reconciled")
    call_command("freeze", str(by_hand.pk), lift=True, because="the night is over")
    assert journal.list_explained_debts() == set()

    call_command("freeze", str(restored.pk), lift=True, because="reconciled at 12:00: all accounted for")
    assert journal.list_explained_debts() == {"order:O1:settle"}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["freeze", "--lift", "--because", "x"], "Which freeze"),
        (["freeze", "--because", "x"], "Which freeze"),
        (["payout", "--again", "--because", "x"], "Which payout"),
        (["payout", "--paid-by", "x"], "Which payout"),
        (["payout", "1", "--again", "--paid-by", "x"], "one of them"),
        (["refund", "NOPE", "1", "a", "a"], "no order NOPE"),
        (["redirect", "NOPE", "1", "a", "a"], "no order NOPE"),
        (["write_off", "NOPE", "--because", "x"], "no order NOPE"),
    ],
)
def test_half_a_command_is_not_answered_with_a_list(typed: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command(*typed)


def test_a_height_belongs_to_one_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "configured_chains", lambda: ["ethereum", "litecoin"])

    with pytest.raises(CommandError, match="--chain"):
        call_command("reconcile", since=3)


@pytest.mark.parametrize("since", [-1, 4])
def test_a_reconciliation_that_matched_nothing_is_none(since: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = FakeChain("litecoin")
    chain.mine(3)
    monkeypatch.setattr(reconcile, "configured_chains", lambda: ["litecoin"])
    monkeypatch.setattr(reconcile, "get_node", lambda _: chain)
    monkeypatch.setattr(reconcile, "scan_chain", lambda **_: Mock(blocks=0))
    monkeypatch.setattr(
        reconcile, "reconcile_chain", lambda **_: Mock(height=3, difference=Mock(minor=0), strange={}, forgeries=())
    )

    with pytest.raises(CommandError, match="--since"):
        call_command("reconcile", since=since)
    call_command("reconcile", since=3)


def test_a_chain_without_a_node_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "configured_chains", lambda: ["litecoin"])

    with pytest.raises(CommandError, match="no node of dogecoin; known: litecoin"):
        call_command("reconcile", chain=["dogecoin"])


def test_what_was_set_aside_is_listed_and_closed_with_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("quarantine")
    assert "nothing is set aside" in capsys.readouterr().out
    odd = "odd\x00text\ud800"
    set_aside(chain="litecoin", what=Quarantine.MOVEMENT, problem=odd, at=NOW, txid="ab" * 32, owner_ref="O1")
    number = Quarantine.objects.get().pk

    call_command("quarantine", chain="litecoin")
    listed = capsys.readouterr().out
    assert str(number) in listed
    assert "ab" * 32 in listed
    call_command("quarantine", chain="ethereum")
    assert "nothing is set aside" in capsys.readouterr().out

    with pytest.raises(CommandError, match="--because"):
        call_command("quarantine", resolve=number)
    call_command("quarantine", resolve=number, because="looked at", by="alice")
    assert Quarantine.objects.get().resolved_because == "looked at"
    with pytest.raises(CommandError, match=str(number)):
        call_command("quarantine", resolve=number, because="again")
