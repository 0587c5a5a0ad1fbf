"""Two workers take the same tick: one asks the venues. The control shows that the lock is what makes it so."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from django.db import IntegrityError, connections

from ticker import record
from ticker.models import Round


def run_two_at_once(exchange, monkeypatch):
    """Record two rounds at the same instant; each worker about to claim waits a second for the other to get there."""
    barrier = threading.Barrier(2)
    create = Round.objects.create

    def create_together(**fields):
        with suppress(threading.BrokenBarrierError):
            barrier.wait(timeout=1)
        return create(**fields)

    def work(_):
        try:
            return record.record_round(at=exchange.at)
        except IntegrityError as collision:  # only the control gets here
            return collision
        finally:
            connections.close_all()

    monkeypatch.setattr(Round.objects, "create", create_together)
    exchange.replay.requests.clear()
    with ThreadPoolExecutor(2) as workers:
        return list(workers.map(work, range(2)))


def test_two_workers_on_one_tick_ask_the_venues_once(committed_exchange, monkeypatch):
    reports = run_two_at_once(committed_exchange, monkeypatch)

    assert sorted(report is None for report in reports) == [False, True]
    assert Round.objects.count() == 1
    assert sum(path.startswith("/kraken") for path in committed_exchange.replay.requests) == 1


def test_control_without_the_lock_both_ask(committed_exchange, monkeypatch):
    monkeypatch.setattr(record, "_lock", lambda: None)

    run_two_at_once(committed_exchange, monkeypatch)

    assert Round.objects.count() == 2
    assert sum(path.startswith("/kraken") for path in committed_exchange.replay.requests) == 2
