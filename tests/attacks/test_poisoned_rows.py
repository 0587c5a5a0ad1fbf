"""As many rows that fail as one round takes: whoever comes behind them is served all the same."""

from datetime import timedelta

import pytest

from core.each import next_page
from orders import states
from orders.credit import follow_deposits
from orders.expire import expire_due_orders
from orders.promises import lapse_promises
from tests.addresses import take_address
from tests.simulated import SimulatedExchange
from wallets.models import Address, ChainState, Deposit


def test_payments_to_orders_that_are_none_hold_nobody_up(simulated: SimulatedExchange) -> None:
    """Web inserts addresses for orders that do not exist, and pays each a little: every round met them, and only them."""
    for number in range(2):
        poison = take_address(chain="litecoin", owner_ref=f"ONONE{number}", at=simulated.now())
        simulated.litecoin.send(poison.address, 10_000)
    simulated.litecoin.mine(1)
    simulated.scan("litecoin")
    order = simulated.open().order
    simulated.pay(order)
    simulated.litecoin.mine(4)
    simulated.scan("litecoin")

    for _ in range(2):
        follow_deposits(chain="litecoin", at=simulated.now(), limit=2)

    assert simulated.reload(order).state == states.EXCHANGING
    poisoned = Deposit.objects.filter(owner_ref__startswith="ONONE")
    assert list(poisoned.values_list("news", flat=True)) == [True, True]


def test_orders_of_a_chain_that_is_not_read_hold_no_other_chains_up(simulated: SimulatedExchange) -> None:
    """No thief is needed: more orders than a round takes, of a chain whose node is away, kept all coins promised."""
    dead = [simulated.open("ETHLTC").order for _ in range(2)]
    order = simulated.open("LTCETH", "0.05").order
    simulated.later(hours=3)
    simulated.scan("ethereum")
    ChainState.objects.filter(code="litecoin").update(scan_started_at=simulated.now() - timedelta(hours=2, minutes=59))

    for _ in range(2):
        lapse_promises(at=simulated.now(), limit=2)
        expire_due_orders(at=simulated.now(), limit=2)

    order.promise.refresh_from_db()
    assert order.promise.closed_at is not None
    assert simulated.reload(order).state == states.EXPIRED
    assert {simulated.reload(one).state for one in dead} == {states.AWAITING_DEPOSIT}


@pytest.mark.parametrize(
    ("limit", "pages"),
    [
        (1, [[0], [1], [2], [0]]),
        (2, [[0, 1], [2, 0], [1, 2], [0, 1]]),
        (3, [[0, 1, 2], [0, 1, 2]]),
        (4, [[0, 1, 2], [0, 1, 2]]),
    ],
)
def test_each_row_has_its_turn(simulated: SimulatedExchange, limit: int, pages: list[list[int]]) -> None:
    ids = [take_address(chain="litecoin", owner_ref=f"O{n}", at=simulated.now()).pk for n in range(3)]
    rows = Address.objects.filter(pk__in=ids).values_list("pk", "owner_ref")
    shown = [[ids.index(pk) for pk, _ in next_page(f"test:{limit}", rows, limit=limit)] for _ in pages]
    assert shown == pages
