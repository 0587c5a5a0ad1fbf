"""An unpaid order expires when its chain was read past the deadline, and not because nobody could look."""

from datetime import timedelta

import pytest

from orders import policy, states
from orders.expire import expire_due_orders
from tests.simulated import SimulatedExchange


@pytest.mark.parametrize(
    ("read_at", "looked_at", "expired"),
    [
        (timedelta(0), timedelta(seconds=1), False),  # a scan that began with the deadline may have missed a payment
        (timedelta(microseconds=1), timedelta(seconds=1), True),
        (timedelta(seconds=-1), timedelta(hours=5), False),  # nobody has read the chain for five hours
        (timedelta(seconds=1), timedelta(hours=5), False),  # nor recently
    ],
)
@pytest.mark.parametrize("pair", ["ETHLTC", "LTCETH"])
def test_expires_once_its_chain_was_read_past_the_deadline(
    simulated: SimulatedExchange, pair: str, read_at: timedelta, looked_at: timedelta, expired: bool
) -> None:
    order = simulated.open(pair, "1" if pair == "ETHLTC" else "0.05").order
    simulated.offset = policy.PAYMENT_WINDOW + read_at
    simulated.mine(1)
    simulated.scan(order.send_asset.network)

    simulated.offset = policy.PAYMENT_WINDOW + looked_at
    expire_due_orders(at=simulated.now())

    assert (simulated.reload(order).state == states.EXPIRED) is expired
