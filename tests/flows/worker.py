"""A worker process that a test ticks by hand and that can be told at which step to kill itself.

Run as a program it is the worker: it performs one round of the timetable's own tasks for each line on standard input.
With KILL_AT it sends itself SIGKILL at that step, so nothing is cleaned up: no rollback, no finally, no exit handler.
The steps wrap functions by name from outside; the money path has no switch for tests.
"""

import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Step:
    """Die `when` ("before" or "after") one of the functions runs, once the order and its rows have come as far as given."""

    function: str
    when: str
    order: str = ""
    deposit: str = ""
    payout: str = ""
    mined: bool = False


# In the order in which an order passes them. "open" steps die inside a transaction: what it wrote must vanish.
STEPS = {
    "deposit written, open": Step("wallets.record.match", "after", deposit="SEEN"),
    "deposit seen": Step("wallets.scan.note_mempool", "after", deposit="SEEN"),
    "order confirming, open": Step("orders.credit.clear_news", "before", order="CONFIRMING"),
    "order confirming": Step("orders.credit.follow_deposit", "after", order="CONFIRMING"),
    "deposit's block recorded": Step("wallets.scan.record_block", "after", deposit="SEEN", mined=True),
    "deposit confirmed, open": Step("wallets.record.post_entries", "before", deposit="CONFIRMED"),
    "deposit booked, open": Step("wallets.record.post_entries", "after", deposit="CONFIRMED"),
    "deposit confirmed": Step("wallets.scan.record_block", "after", deposit="CONFIRMED"),
    "order credited, open": Step("orders.credit.post_entries", "before", order="EXCHANGING"),
    "exchange booked, open": Step("orders.credit.post_entries", "after", order="EXCHANGING"),
    "order credited": Step("orders.credit.follow_deposit", "after", order="EXCHANGING"),
    "payout requested, open": Step("orders.payout.request_payout", "after", order="PAYING"),
    "payout requested": Step("orders.payout.request_order_payout", "after", payout="REQUESTED"),
    "payout claimed for signing, open": Step("wallets.signer.pay._claim", "after", payout="REQUESTED"),
    "payout signed, open": Step("wallets.signer.pay.store_attempt", "after", payout="REQUESTED"),
    "payout signed": Step("wallets.sign._sign_one", "after", payout="SIGNED"),
    "attempt claimed for sending": Step("wallets.journal.append", "before", payout="SIGNED"),
    "attempt journaled": Step("wallets.journal.append", "after", payout="SIGNED"),
    # Without a condition: whoever sends before the commit dies here with nothing stored.
    "node took it": Step(
        "wallets.chains.core_rpc.CoreChain.broadcast wallets.chains.evm.EVMChain.broadcast "
        "wallets.chains.fake.FakeChain.broadcast",
        "after",
    ),
    "node's answer noted": Step("wallets.send._note", "after", payout="BROADCAST"),
    "order sent": Step("orders.payout.follow_payout", "after", order="SENT"),
    "payout's block recorded": Step("wallets.scan.record_block", "after", payout="BROADCAST", mined=True),
    "payout confirmed, open": Step("wallets.record.post_entries", "before", payout="CONFIRMED"),
    "payout confirmed": Step("wallets.scan.record_block", "after", payout="CONFIRMED"),
    "order completed, open": Step("orders.payout.clear_payout_news", "before", order="COMPLETED"),
    "order completed": Step("orders.payout.follow_payout", "after", order="COMPLETED"),
}


class WorkerProcess:
    """A child process with a pid of its own, seen from the test."""

    def __init__(self, env: dict[str, str], *, kill_at: str = "", ahead_s: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.flows.worker"],
            cwd=ROOT,
            env={**env, "KILL_AT": kill_at, "AHEAD_S": str(ahead_s), "LOG_LEVEL": "ERROR"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid

    def tick(self) -> bool:
        """Run one round in the child; False when it was killed on the way. Raises: RuntimeError for any other end."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("tick\n")
        self.process.stdin.flush()
        if self.process.stdout.readline() == "done\n":
            return True
        if self.process.wait(timeout=30) != -signal.SIGKILL:
            raise RuntimeError(f"the worker ended with {self.process.returncode}")
        return False

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=30)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def _has_come(step: Step) -> bool:
    """Ask the rows as this process sees them: inside a transaction, what it has written itself."""
    from orders.models import Order
    from wallets.models import Attempt, Deposit, Payout

    deposits, payouts = Deposit.objects.exclude(owner_ref=""), Payout.objects.all()
    if step.mined and step.deposit:
        deposits = deposits.exclude(block_height=None)
    if step.mined and step.payout:
        payouts = payouts.filter(pk__in=Attempt.objects.exclude(block_height=None).values("payout"))
    return (
        (not step.order or Order.objects.filter(state=step.order).exists())
        and (not step.deposit or deposits.filter(state=step.deposit).exists())
        and (not step.payout or payouts.filter(state=step.payout).exists())
    )


def arm(step: Step, die: Callable[[], None], replace: Callable[[Any, str, Any], None] = setattr) -> None:
    """Let `die` be called at this step; `replace` puts the wrapped functions in their places."""
    for path in step.function.split():
        holder, _, name = path.rpartition(".")
        _wrap(pkgutil.resolve_name(holder), name, step, die, replace)


def _wrap(
    holder: Any, name: str, step: Step, die: Callable[[], None], replace: Callable[[Any, str, Any], None]
) -> None:
    original: Callable[..., Any] = getattr(holder, name)

    def die_if_due() -> None:
        if _has_come(step):
            die()

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if step.when == "before":
            die_if_due()
        result = original(*args, **kwargs)
        if step.when == "after":
            die_if_due()
        return result

    replace(holder, name, wrapped)


def main() -> None:
    """Tick once for each line read."""
    import django

    django.setup()
    from core import clock
    from nexchange.celery import CHAINS
    from orders import tasks as order_tasks
    from wallets import tasks as wallet_tasks

    if os.environ["KILL_AT"]:
        arm(STEPS[os.environ["KILL_AT"]], lambda: os.kill(os.getpid(), signal.SIGKILL))
    start, began = clock.now() + timedelta(seconds=int(os.environ["AHEAD_S"])), time.monotonic()
    wallet_tasks.check_journal()
    with clock.clock_reads(lambda: start + timedelta(seconds=time.monotonic() - began)):
        _tick_for_each_line(CHAINS, order_tasks, wallet_tasks)


def _tick_for_each_line(chains: tuple[str, ...], order_tasks: Any, wallet_tasks: Any) -> None:
    for _ in sys.stdin:
        for task in (wallet_tasks.scan, order_tasks.advance_orders, wallet_tasks.pay, order_tasks.advance_orders):
            for chain in chains:
                task(chain=chain)
        order_tasks.watch_deadlines()
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
