"""The site's own worker program, killed with SIGKILL in the middle of its work and started again."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connections

from core import clock
from core.heartbeat import beat
from core.snapshot import forget_all
from nexchange import settings as published
from nexchange.celery import CHAINS, app
from orders import states
from orders.models import Order
from orders.offer import is_sold
from tests.flows.conftest import Exchange
from tests.flows.proxy import NodeProxy
from tests.flows.test_kill import assert_paid_once
from tests.flows.worker import ROOT
from ticker.models import MarketState, Pair
from wallets.models import Attempt, Deposit

pytestmark = pytest.mark.node


class CeleryWorker:
    """`bin/worker` for both chains, with its pool process, in a process group of its own."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                ["bin/worker", ",".join(CHAINS)],
                cwd=ROOT,
                env=env,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self.pid = self.process.pid

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        assert self.process.wait(timeout=30) == -signal.SIGKILL


@pytest.fixture
def start_celery(
    exchange: Exchange, worker_env: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., CeleryWorker]]:
    workers: list[CeleryWorker] = []

    def start(**urls: str) -> CeleryWorker:
        workers.append(CeleryWorker({**worker_env, **urls}, tmp_path / "celery.log"))
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()
    with app.connection_for_write() as broker:
        for queue in CHAINS:
            broker.default_channel.queue_purge(queue)


def send_ticks() -> None:
    """Give each chain a turn, as beat does, unless the worker has not taken up the one before."""
    with app.connection_for_write() as broker:
        for chain in CHAINS:
            if not broker.default_channel.queue_declare(chain).message_count:
                app.send_task("orders.tasks.follow_chain", kwargs={"chain": chain}, queue=chain, expires=30)


def until(happened: Callable[[], bool], exchange: Exchange, *, mine: bool = True, seconds: int = 90) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happened():
            return
        send_ticks()
        time.sleep(1)
        if mine:
            exchange.mine(1)
    raise AssertionError("it never happened")


def test_a_celery_worker_killed_three_times_pays_once(
    exchange: Exchange, start_celery: Callable[..., CeleryWorker]
) -> None:
    """Killed once while a deposit confirms, once inside the broadcast that the node has taken, once before completion."""
    order: Order = exchange.open().order
    exchange.pay(order)
    proxy = NodeProxy(exchange.ethereum.url)
    try:
        first = start_celery()
        until(lambda: Deposit.objects.filter(owner_ref=order.reference).exists(), exchange)
        first.kill()

        proxy.holding = True
        second = start_celery(ETHEREUM_RPC_URL=proxy.url)
        until(proxy.held.is_set, exchange)
        second.kill()
    finally:
        proxy.close()
    attempt = Attempt.objects.get()
    assert (attempt.payout.state, attempt.sent_at) == ("SIGNED", None)
    assert exchange.client_of("ethereum").find_tx(attempt.txid).state in ("mempool", "mined")

    third = start_celery()
    until(lambda: exchange.reload(order).state in (states.SENT, states.COMPLETED), exchange)
    third.kill()

    fourth = start_celery()
    until(lambda: exchange.reload(order).state == states.COMPLETED, exchange)
    for _ in range(2):
        send_ticks()
        time.sleep(2)
    assert len({first.pid, second.pid, third.pid, fourth.pid}) == 4
    fourth.kill()
    exchange.mine(3)
    assert_paid_once(exchange, order)


def is_sold_now() -> bool:
    """Say whether both pairs are sold, as if the worker of the queue `default` were well."""
    for work in ("default", "prices", "deadlines", "publish"):
        beat(work)
    forget_all()
    pairs = Pair.objects.filter(name__in=("ETHLTC", "LTCETH"))
    return all(is_sold(pair, at=clock.now()) for pair in pairs)


def test_a_stopped_worker_closes_both_pairs_within_ten_seconds_and_opens_them_by_going_on(
    exchange: Exchange, start_celery: Callable[..., CeleryWorker], settings: LazySettings
) -> None:
    """Fault 4: a stopped worker sold on for seven minutes, and every check said that it was well."""
    settings.HEARTBEAT_LIMITS_S, settings.SCAN_LIMIT_S = published.HEARTBEAT_LIMITS_S, published.SCAN_LIMIT_S
    exchange.price()
    with connections["owner"].cursor() as owner:
        owner.execute("TRUNCATE core_heartbeat")
    assert not is_sold_now()
    worker = start_celery()
    until(is_sold_now, exchange, mine=False)

    os.killpg(worker.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    while is_sold_now() and time.monotonic() < stopped + 30:
        time.sleep(0.2)
    assert time.monotonic() - stopped <= 10

    os.killpg(worker.pid, signal.SIGCONT)
    MarketState.objects.update(rate_at=clock.now())  # the prices' worker was well all the time
    until(is_sold_now, exchange, mine=False, seconds=30)
