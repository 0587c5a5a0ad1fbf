"""The ticks of the exchange: what one may not keep another from."""

import pytest

from nexchange.celery import CHAINS, app
from orders import tasks


def test_a_chain_that_cannot_be_read_is_still_paid_from(monkeypatch):
    turns = []

    def fail(*, chain):
        raise RuntimeError(f"{chain} is broken")

    monkeypatch.setattr(tasks, "scan", fail)
    monkeypatch.setattr(tasks, "advance_orders", lambda *, chain: turns.append(("advance", chain)))
    monkeypatch.setattr(tasks, "pay", lambda *, chain: turns.append(("pay", chain)))

    with pytest.raises(ExceptionGroup, match="litecoin") as raised:
        tasks.follow_chain(chain="litecoin")

    assert turns == [("advance", "litecoin"), ("pay", "litecoin")]
    assert [str(error) for error in raised.value.exceptions] == ["litecoin is broken"]


def test_a_tick_leaves_nothing_behind_that_a_slow_scan_could_let_expire():
    """Two ticks of one period in one queue fall due at once; a slow first one would cost the second every turn."""
    for chain in CHAINS:
        ticks = [tick for tick in app.conf.beat_schedule.values() if tick["options"]["queue"] == chain]
        periods = [tick["schedule"] for tick in ticks]
        assert len(periods) == len(set(periods)), [tick["task"] for tick in ticks]
        assert [tick["task"] for tick in ticks if tick["schedule"] == min(periods)] == ["orders.tasks.follow_chain"]
