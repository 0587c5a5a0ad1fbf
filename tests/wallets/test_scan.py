"""wallets.scan on the fake chain: what is too much for one scan is not taken for read."""

import sys
from datetime import timedelta
from unittest.mock import Mock

import pytest
from django.conf import LazySettings
from django.core.management import call_command

from core import clock
from wallets import scan
from wallets.chains.fake import FakeChain
from wallets.management.commands import reconcile
from wallets.models import ChainState
from wallets.scan import scan_chain
from wallets.scan_state import scanned_since

pytestmark = pytest.mark.django_db

AGREED = Mock(height=3, difference=Mock(minor=0), strange={}, forgeries=())


@pytest.fixture(autouse=True)
def roomy(settings: LazySettings) -> None:
    settings.MAX_TIP_AGE_SECONDS = {"litecoin": 10**9, "ethereum": 10**9}


def test_a_scan_is_finished_only_when_the_whole_mempool_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MEMPOOL_PER_SCAN", 2)
    chain, known, at = FakeChain("litecoin"), set(), clock.now()
    chain.mine(3)
    for number in range(3):
        chain.send("rltc1qjy2c2jlzau5l7f8kfwlz3582k420xz5zu3k6hg", 10**8 + number)

    first = scan_chain(node=chain, at=at, known_mempool=known)
    second = scan_chain(node=chain, at=at, known_mempool=known)

    assert (first.finished, second.finished) == (False, True)
    assert ChainState.objects.get().scan_started_at == at
    assert scanned_since(chain="litecoin", moment=at - timedelta(seconds=1), at=at)


def test_another_chain_under_the_same_name_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    chain, at = FakeChain("litecoin"), clock.now()
    chain.mine(3)
    assert not scan_chain(node=chain, at=at, known_mempool=set()).problem
    height = ChainState.objects.get().height

    monkeypatch.setattr(FakeChain, "identity", lambda _: "another genesis")
    chain.mine(2)
    report = scan_chain(node=chain, at=at, known_mempool=set())

    assert report.problem.startswith("wrong_chain")
    assert ChainState.objects.get().height == height
    assert not scanned_since(chain="litecoin", moment=at - timedelta(seconds=1), at=at)


@pytest.mark.parametrize("fault", ["down", "syncing"])
def test_a_node_in_trouble_is_not_read(fault: str) -> None:
    chain, at = FakeChain("litecoin"), clock.now()
    setattr(chain, fault, True)

    report = scan_chain(node=chain, at=at, known_mempool=set())

    assert report.problem
    assert ChainState.objects.filter(height__gte=0).count() == 0


@pytest.mark.parametrize("sees", [True, False])
def test_a_node_that_does_not_see_what_contracts_pay_is_said_to_be_blind(
    sees: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = FakeChain("ethereum")
    chain.sees_internal = sees
    chain.mine(3)
    monkeypatch.setattr(reconcile, "get_node", lambda _: chain)
    monkeypatch.setattr(reconcile, "configured_chains", lambda: ["ethereum"])
    monkeypatch.setattr(
        reconcile, "reconcile_chain", lambda **_: Mock(height=3, difference=Mock(minor=0), strange={}, forgeries=())
    )

    assert scan_chain(node=chain, at=clock.now(), known_mempool=set()).blocks
    call_command("reconcile", chain=["ethereum"], stderr=sys.stderr)

    assert ("offers no traces" in caplog.text) is not sees
    assert ("warning: ethereum" in capsys.readouterr().err) is not sees
