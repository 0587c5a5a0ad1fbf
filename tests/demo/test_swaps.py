"""The demo against a real site with real nodes: it passes when all is well, and fails when a single wei is off."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from demo import swaps
from demo.customers import APICustomer, PageCustomer, SiteRefused
from demo.management.commands import demo_swaps
from tests.flows.conftest import Exchange, exchange

__all__ = ["exchange"]
pytestmark = pytest.mark.node


@contextmanager
def worked(site: Exchange) -> Iterator[None]:
    """Do what workers, timetable and miners do, in a thread, until the block ends; then say what went wrong there."""
    end, trouble = threading.Event(), []

    def work() -> None:
        try:
            while not end.is_set():
                site.price()
                site.tick()
                site.mine(1)
                end.wait(0.2)
        except Exception as error:  # noqa: BLE001 -- reported below, in the test's own thread
            trouble.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join(30)
    assert trouble == []


@pytest.fixture
def running(exchange, live_server, settings, monkeypatch) -> Iterator[str]:
    settings.CHAIN_RPC_URLS = {"litecoin": exchange.litecoin.url, "ethereum": exchange.ethereum.url}
    monkeypatch.setattr(swaps, "POLL_S", 0.2)
    with worked(exchange):
        yield live_server.url


def test_all_scenes_pass_and_their_times_are_told(running, capsys):
    call_command("demo_swaps", running)

    told = capsys.readouterr().out
    assert "demo: 5 orders, all promised = paid on chain = booked" in told
    assert told.count("promised = on chain = booked = ") == 5
    assert told.count("timeline of O") == 5
    for step in (
        "EXCHANGING        credited",
        "REFUNDED          refund_confirmed",
        "COMPLETED         payout_confirmed",
    ):
        assert step in told


def test_a_single_wei_too_much_on_the_chain_fails_it(running, exchange, monkeypatch):
    open_order = APICustomer.open

    def open_and_give_a_wei(self, wanted):
        opened = open_order(self, wanted)
        exchange.ethereum.send(opened.payout_address, 1)
        return opened

    monkeypatch.setattr(APICustomer, "open", open_and_give_a_wei)
    monkeypatch.setattr(demo_swaps, "SCENES", demo_swaps.SCENES[:1])

    with pytest.raises(CommandError, match=r"the exchange differs: .*paid on the chain [0-9]+1, payout [0-9]+0,"):
        call_command("demo_swaps", running)


def test_an_order_that_goes_another_way_ends_the_wait_at_once(running, exchange, monkeypatch):
    began = time.monotonic()
    monkeypatch.setattr(
        swaps.Played, "pay", lambda self, amount: exchange.litecoin.send(self.opened.deposit_address, amount.minor // 2)
    )
    monkeypatch.setattr(demo_swaps, "SCENES", demo_swaps.SCENES[:1])

    with pytest.raises(CommandError, match=r"was to be completed and is confirming \(underpaid\)"):
        call_command("demo_swaps", running)
    assert time.monotonic() - began < 60


def test_waiting_has_an_end(running, monkeypatch):
    monkeypatch.setattr(swaps, "LIMIT_S", 1)
    monkeypatch.setattr(swaps.Played, "pay", lambda *_: None)
    monkeypatch.setattr(demo_swaps, "SCENES", demo_swaps.SCENES[:1])

    with pytest.raises(CommandError, match=r"waited 1 s in vain for O[0-9A-Z]+ to be completed"):
        call_command("demo_swaps", running)


def test_says_so_when_no_site_answers():
    with pytest.raises(SiteRefused, match="GET /en/quote/"):
        PageCustomer("http://127.0.0.1:9").has_answer("/en/quote/", {})
