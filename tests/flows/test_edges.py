"""A sample of the tables in tests/orders/test_judge.py through the whole flow: at the edge, one unit below, one above."""

from datetime import timedelta

import pytest

from core.money import Money
from orders import states
from orders.judge import least_that_executes, most_that_executes
from orders.models import Order, Promise
from orders.policy import PAYMENT_WINDOW
from tests.simulated import SimulatedExchange
from wallets.chains.networks import find_network
from wallets.models import Deposit
from wallets.states import CREDIT, DUST, WAITING

SECOND = timedelta(seconds=1)


def decided(site: SimulatedExchange, order: Order) -> tuple[str, str]:
    """Mine until the payment is decided; return what it became, and why."""
    for _ in range(3):
        site.mine(3)
        site.tick()
    deposit = Deposit.objects.get(owner_ref=order.reference)
    return deposit.disposition, deposit.reason


@pytest.mark.parametrize("pair", ["ETHLTC", "LTCETH"])
@pytest.mark.parametrize("extra", [-1, 0, 1])
@pytest.mark.parametrize("edge", ["least", "most"])
def test_tolerance(simulated: SimulatedExchange, pair: str, edge: str, extra: int) -> None:
    order = simulated.open(pair, "1" if pair == "ETHLTC" else "0.05").order
    send = Money(order.send_minor, order.send_asset)
    minor = (least_that_executes(send) if edge == "least" else most_that_executes(send)) + extra
    simulated.pay(order, minor)
    simulated.tick()

    within = (edge == "least" and extra >= 0) or (edge == "most" and extra <= 0)
    wrong = states.UNDERPAID if edge == "least" else states.OVERPAID
    assert decided(simulated, order) == ((CREDIT, "credited") if within else (WAITING, wrong))
    done = simulated.reload(order)
    if within:
        step = order.get_asset.quote_step
        assert done.state == states.COMPLETED
        assert simulated.paid(done) == order.get_minor * minor // order.send_minor // step * step
    else:
        assert (done.state, done.next_actor) == (states.CONFIRMING, states.CUSTOMER)


@pytest.mark.parametrize(("extra", "became"), [(-1, DUST), (0, DUST), (1, WAITING)])
def test_dust(simulated: SimulatedExchange, extra: int, became: str) -> None:
    order = simulated.open().order
    simulated.pay(order, order.send_asset.dust_minor + extra)
    simulated.tick()
    assert decided(simulated, order)[0] == became
    after = simulated.reload(order)
    assert after.state == (states.AWAITING_DEPOSIT if became == DUST else states.CONFIRMING)
    if became == DUST:
        simulated.later(minutes=21)
        simulated.tick()
        assert simulated.reload(order).state == states.EXPIRED
        assert not Promise.objects.filter(order=order, closed_at=None).exists()


@pytest.mark.parametrize("pair", ["ETHLTC", "LTCETH"])
@pytest.mark.parametrize(("after_window", "became"), [(-SECOND, CREDIT), (timedelta(0), CREDIT), (SECOND, WAITING)])
def test_confirmation_window(simulated: SimulatedExchange, pair: str, after_window: timedelta, became: str) -> None:
    order = simulated.open(pair, "1" if pair == "ETHLTC" else "0.05").order
    simulated.offset = PAYMENT_WINDOW - timedelta(minutes=1)
    simulated.mine(1)
    simulated.tick()
    simulated.pay(order)
    simulated.tick()
    assert simulated.reload(order).state == states.CONFIRMING
    simulated.offset += find_network(order.send_asset.network).first_confirmation + after_window
    assert decided(simulated, order) == (became, "credited" if became == CREDIT else states.PAID_LATE)


@pytest.mark.parametrize(("late", "became"), [(timedelta(0), CREDIT), (SECOND, WAITING)])
def test_paid_while_our_worker_was_down(simulated: SimulatedExchange, late: timedelta, became: str) -> None:
    order = simulated.open().order
    simulated.offset = PAYMENT_WINDOW + find_network("litecoin").first_confirmation + late
    simulated.pay(order)  # nobody looked since the order was opened
    simulated.mine(1)
    assert decided(simulated, order) == (became, "credited" if became == CREDIT else states.PAID_LATE)


@pytest.mark.parametrize(("early", "became"), [(SECOND, CREDIT), (timedelta(0), WAITING)])
def test_deadline_while_somebody_reads(simulated: SimulatedExchange, early: timedelta, became: str) -> None:
    order = simulated.open().order
    for minute in range(1, 20):
        simulated.offset = timedelta(minutes=minute)
        simulated.mine(1)
        simulated.tick()
    simulated.offset = PAYMENT_WINDOW - early
    simulated.mine(1)
    simulated.tick()
    simulated.pay(order)
    simulated.tick()  # its first sight
    simulated.offset += 2 * SECOND
    assert decided(simulated, order) == (became, "credited" if became == CREDIT else states.PAID_LATE)
