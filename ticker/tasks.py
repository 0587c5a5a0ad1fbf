"""Periodic work on prices; the timetable is in nexchange/celery.py. Each task may run twice, anywhere, at once."""

import logging

from celery import shared_task
from celery.signals import worker_ready
from celery.worker.consumer import Consumer

from core.clock import now
from core.database_clock import clock_is_right
from core.heartbeat import beat
from ticker.prune import prune_prices
from ticker.record import record_round

QUEUE = "default"

logger = logging.getLogger(__name__)


@shared_task(soft_time_limit=20, time_limit=30)
def run_ticker(**_: object) -> None:
    """Record one round; does nothing when another worker began one a moment ago, or by a clock that is wrong.

    Rates are dated by it: a round from the future would be fresh for as long as it is ahead, and nobody would ask again.
    """
    if not clock_is_right():
        return
    beat("default")  # asking the venues may take longer than this worker may seem to stand still
    report = record_round(at=now())
    beat("default")
    if report is None:
        return
    beat("prices")
    for standing in report.standings:
        if standing.verdict.code != "ok":
            logger.warning("no rate for %s: %s %s", standing.market, standing.verdict.code, standing.verdict.reason)


@shared_task(soft_time_limit=60, time_limit=90)
def prune_old_prices(**_: object) -> None:
    """Remove observations and rates past their age, by a clock that is right."""
    if not clock_is_right():
        return
    prune_prices(at=now())


@worker_ready.connect
def ask_at_once(sender: Consumer, **_: object) -> None:
    """Send a first round when the worker starts that runs them: the timetable's comes a whole period later.

    Without it a release would add that period to the age of the last price, and a price too old stops all orders.
    """
    if QUEUE in sender.app.amqp.queues.consume_from:
        run_ticker.apply_async(queue=QUEUE)
