"""The ticks of the exchange: what one may not keep another from."""

from datetime import timedelta

import pytest
from django.db import connections

from core import database_clock
from core.heartbeat import read_ages
from nexchange.celery import CHAINS, app
from orders import tasks
from ticker import tasks as ticker_tasks
from wallets import tasks as wallet_tasks
from wallets.chains.fake import FakeChain


def test_a_chain_that_cannot_be_read_is_still_paid_from(monkeypatch, db):
    turns = []

    def fail(*, chain):
        raise RuntimeError(f"{chain} is broken")

    monkeypatch.setattr(tasks, "scan", fail)
    monkeypatch.setattr(tasks, "reconcile", lambda *, chain: turns.append(("reconcile", chain)))
    monkeypatch.setattr(tasks, "advance_orders", lambda *, chain: turns.append(("advance", chain)))
    monkeypatch.setattr(tasks, "pay", lambda *, chain: turns.append(("pay", chain)))

    with pytest.raises(ExceptionGroup, match="litecoin") as raised:
        tasks.follow_chain(chain="litecoin")

    assert turns == [("reconcile", "litecoin"), ("advance", "litecoin"), ("pay", "litecoin")]
    assert [str(error) for error in raised.value.exceptions] == ["litecoin is broken"]


def test_a_tick_leaves_nothing_behind_that_a_slow_scan_could_let_expire():
    """Two ticks of one period in one queue fall due at once; a slow first one would cost the second every turn."""
    for chain in CHAINS:
        ticks = [tick for tick in app.conf.beat_schedule.values() if tick["options"]["queue"] == chain]
        periods = [tick["schedule"] for tick in ticks]
        assert len(periods) == len(set(periods)), [tick["task"] for tick in ticks]
        assert [tick["task"] for tick in ticks if tick["schedule"] == min(periods)] == ["orders.tasks.follow_chain"]


def test_no_tick_expires_within_what_two_clocks_may_differ():
    """Fault 5: a worker whose clock was one second ahead took two turns of twelve, and with two seconds none."""
    assert min(tick["options"]["expires"] for tick in app.conf.beat_schedule.values()) >= 3600


def test_a_process_with_a_wrong_clock_does_no_money_work_and_says_so(monkeypatch, caplog, db):
    turns = []
    for name in ("scan", "reconcile", "advance_orders", "pay"):
        monkeypatch.setattr(tasks, name, lambda *, chain: turns.append(chain))
    real = database_clock.machine_now
    for off_s, done in ((4, 4), (-4, 4), (600, 0), (-600, 0)):
        turns.clear()
        monkeypatch.setattr(database_clock, "machine_now", lambda off_s=off_s: real() + timedelta(seconds=off_s))
        tasks.follow_chain(chain="litecoin")
        assert len(turns) == done, off_s
    assert caplog.text.count("nothing is done until it is right") == 2


@pytest.mark.parametrize(("off_s", "works"), [(4, True), (-4, True), (600, False), (-600, False)])
def test_the_worker_of_prices_and_deadlines_is_silent_by_a_wrong_clock(monkeypatch, db, off_s, works):
    """Its rates would be from the future or the past, and "default" would tell that all is well."""
    real, rounds = database_clock.machine_now, []
    monkeypatch.setattr(database_clock, "machine_now", lambda: real() + timedelta(seconds=off_s))
    monkeypatch.setattr(ticker_tasks, "record_round", lambda *, at: rounds.append(at))
    monkeypatch.setattr(ticker_tasks, "prune_prices", lambda *, at: rounds.append(at))
    for task in (ticker_tasks.run_ticker, ticker_tasks.prune_old_prices, tasks.watch_deadlines, tasks.publish_events):
        task()

    assert len(rounds) == (2 if works else 0)
    assert ("default" in read_ages()) is works
    assert "publish" in read_ages()


def test_work_that_was_done_writes_its_heartbeat_and_work_that_failed_none(monkeypatch, committed_site):
    node = FakeChain("litecoin")
    monkeypatch.setattr(wallet_tasks, "get_node", {"litecoin": node}.get)
    monkeypatch.setattr(wallet_tasks, "known_mempool", {"litecoin": set()}.get)
    monkeypatch.setattr(wallet_tasks, "can_sign", lambda: True)
    monkeypatch.setattr(wallet_tasks, "_reconcile_at", {})
    wipe = "TRUNCATE core_heartbeat"

    def works():
        return set(read_ages())

    with connections["owner"].cursor() as owner:
        owner.execute("DELETE FROM wallets_chainstate")
        owner.execute(wipe)
        tasks.follow_chain(chain="litecoin")
        assert works() == {"scan:litecoin", "reconcile:LTC", "orders:litecoin", "pay:litecoin"}

        owner.execute(wipe)
        node.down = True
        tasks.follow_chain(chain="litecoin")
        assert works() == {"orders:litecoin", "pay:litecoin"}

        owner.execute(wipe)
        monkeypatch.setattr(wallet_tasks, "can_sign", lambda: False)
        tasks.watch_deadlines()
        tasks.publish_events()
        tasks.follow_chain(chain="litecoin")
        assert works() == {"default", "deadlines", "publish", "orders:litecoin"}
