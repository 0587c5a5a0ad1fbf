import logging
from types import SimpleNamespace

import pytest

from core.clock import clock_reads
from nexchange.celery import app
from ticker.models import Round
from ticker.tasks import ask_at_once, prune_old_prices, run_ticker


def test_a_tick_run_twice_records_one_round(exchange):
    with clock_reads(lambda: exchange.at):
        run_ticker()
        run_ticker()

    assert Round.objects.count() == 1


def test_a_market_without_a_rate_is_logged(exchange, caplog):
    exchange.set("coinbase", "kraken", LTC=("0", "0"))

    with clock_reads(lambda: exchange.at), caplog.at_level(logging.WARNING):
        run_ticker()

    assert "no rate for LTC-USD: too_few_sources" in caplog.text


def test_pruning_runs_on_the_clock(exchange):
    exchange.run()

    with clock_reads(lambda: exchange.at.replace(year=exchange.at.year + 1)):
        prune_old_prices()

    assert not Round.objects.exists()


def test_both_ticks_are_in_the_timetable_and_expire_before_the_next():
    ticks = {tick["task"]: tick for tick in app.conf.beat_schedule.values()}

    assert ticks["ticker.tasks.run_ticker"]["schedule"] == 10
    assert ticks["ticker.tasks.run_ticker"]["options"]["expires"] >= 3600
    assert "ticker.tasks.prune_old_prices" in ticks


@pytest.mark.parametrize(("queues", "sent"), [({"default", "litecoin"}, 1), ({"litecoin"}, 0)])
def test_a_worker_that_runs_rounds_begins_with_one(queues, sent):
    worker = SimpleNamespace(app=SimpleNamespace(amqp=SimpleNamespace(queues=SimpleNamespace(consume_from=queues))))
    with app.connection_for_write() as broker:
        broker.default_channel.queue_purge("default")

        ask_at_once(sender=worker)

        assert broker.default_channel.queue_purge("default") == sent
