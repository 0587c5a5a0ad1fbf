"""A worker killed at any step of detection, crediting and payout: another one goes on, and the customer is paid once."""

from collections.abc import Callable, Iterator

import pytest

from ledger.balances import find_imbalances
from orders import states
from orders.models import Order
from tests.flows.conftest import Exchange
from tests.flows.worker import STEPS, WorkerProcess
from wallets import states as wallet_states
from wallets.models import Attempt, Payout
from wallets.safety.reconcile import reconcile_chain

pytestmark = pytest.mark.node

RESEND_S = 40  # the next process looks at the clock after the claim of a dead one has run out
Start = Callable[..., WorkerProcess]


@pytest.fixture
def start_worker(exchange: Exchange, worker_env: dict[str, str]) -> Iterator[Start]:
    workers: list[WorkerProcess] = []

    def start(**options: object) -> WorkerProcess:
        workers.append(WorkerProcess(worker_env, **options))  # type: ignore[arg-type]
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


def assert_paid_once(exchange: Exchange, order: Order) -> None:
    """One payout of the promised amount: in our rows, on the chain, in the books; and the books agree with the chain."""
    done = exchange.reload(order)
    assert done.state == states.COMPLETED
    payout = Payout.objects.get(owner_ref=done.reference)
    assert (payout.state, payout.amount_minor) == (wallet_states.CONFIRMED, done.get_minor)
    assert Attempt.objects.filter(payout=payout).count() == 1
    assert exchange.payments_to(done.get_asset.network, done.payout_address) == [done.get_minor]
    assert find_imbalances() == []
    for chain in ("litecoin", "ethereum"):
        exchange.scan(chain)
        assert reconcile_chain(node=exchange.client_of(chain), at=exchange.now()).difference.minor == 0


def finish(exchange: Exchange, worker: WorkerProcess, order: Order) -> None:
    """Tick and mine until the order is completed, and twice more: a second payment would show then."""
    further = 2
    for _ in range(20):
        assert worker.tick()
        exchange.mine(1)
        further -= exchange.reload(order).state == states.COMPLETED
        if further < 0:
            return


@pytest.mark.parametrize("pair", ["ETHLTC", "LTCETH"])
@pytest.mark.parametrize("step", STEPS)
def test_a_worker_killed_at_this_step_costs_nobody_anything(
    exchange: Exchange, start_worker: Start, step: str, pair: str
) -> None:
    order = exchange.open(pair, "1" if pair == "ETHLTC" else "0.05").order
    exchange.pay(order)

    first = start_worker(kill_at=step)
    alive, rounds = True, 0
    while alive and rounds < 20:
        alive = first.tick()
        exchange.mine(1)
        rounds += 1
    assert not alive, f"the worker never came to the step: {step}"

    second = start_worker(ahead_s=RESEND_S)
    assert second.pid != first.pid
    finish(exchange, second, order)
    assert_paid_once(exchange, order)
