"""Background work: the Celery application and the one timetable.

Every task is safe to run twice, on two machines, at once. A tick that nobody took expires, but never within the time by
which the clocks of two machines may differ: the message carries its end by the sender's clock, the worker has its own. Each
chain has a queue of its own, so that a slow node delays nobody else.
"""

import os
import sys

from celery import Celery
from celery.signals import beat_init, celeryd_init

from core.networks import CHAINS
from core.start import UnsafeStart, refuse_unsafe_start
from nexchange.timetable import PacedTask, SteadyScheduler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nexchange.settings_dev")

app = Celery("nexchange", task_cls=PacedTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


EXPIRES_S = 3600  # by two machines' clocks, which may be minutes apart; old ticks are left out by whoever takes them


def _tick(task: str, every_s: int, queue: str, **kwargs: str) -> dict[str, object]:
    """A periodic task; a worker that was away leaves out all but one of the old ones (nexchange.timetable.PacedTask)."""
    return {
        "task": task,
        "schedule": every_s,
        "kwargs": kwargs,
        "options": {"queue": queue, "expires": EXPIRES_S},
    }


QUEUES = ("default", *CHAINS)

app.conf.beat_scheduler = SteadyScheduler
app.conf.task_default_queue = "default"
app.conf.beat_schedule = {
    "ticker": _tick("ticker.tasks.run_ticker", 10, "default"),
    "prune_prices": _tick("ticker.tasks.prune_old_prices", 600, "default"),
    "checkpoint_balances": _tick("ledger.tasks.checkpoint_balances", 3600, "default"),
    "watch_deadlines": _tick("orders.tasks.watch_deadlines", 10, "default"),
    "publish_events": _tick("orders.tasks.publish_events", 2, "default"),
}
for _chain in CHAINS:
    app.conf.beat_schedule |= {
        f"follow_{_chain}": _tick("orders.tasks.follow_chain", 2, _chain, chain=_chain),
        f"bump_{_chain}": _tick("wallets.tasks.bump", 60, _chain, chain=_chain),
    }


def _refuse_unsafe_start(**_: object) -> None:
    try:
        refuse_unsafe_start()
    except UnsafeStart as error:
        # Beat has made a logger of sys.stderr by then, which may drop it.
        print(f"error: {error}", file=sys.__stderr__, flush=True)
        raise SystemExit(1) from error  # Celery would only log another exception, and start


celeryd_init.connect(_refuse_unsafe_start, weak=False)
beat_init.connect(_refuse_unsafe_start, weak=False)
