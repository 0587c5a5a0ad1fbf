"""How deep a block must be before it counts: at the required depth, one block before, for deposits and for payouts."""

import pytest

from core.assets import confirmations_required, get_asset
from orders import states
from tests.simulated import SimulatedExchange
from wallets import states as wallet_states
from wallets.models import Deposit

PAIRS = {"ETHLTC": "1", "LTCETH": "0.05"}


@pytest.mark.parametrize("pair", PAIRS)
def test_a_deposit_counts_at_the_required_depth_and_not_a_block_before(simulated: SimulatedExchange, pair: str) -> None:
    order = simulated.open(pair, PAIRS[pair]).order
    simulated.pay(order)
    chain, required = order.send_asset.network, confirmations_required(get_asset(order.send_asset_id))
    for depth in range(1, required + 1):
        simulated.node_of(chain).mine(1)
        simulated.scan(chain)
        deposit = Deposit.objects.get(owner_ref=order.reference)
        assert (deposit.state == wallet_states.CONFIRMED) is (depth == required), depth


@pytest.mark.parametrize("pair", PAIRS)
def test_a_payout_is_over_at_the_required_depth_and_not_a_block_before(simulated: SimulatedExchange, pair: str) -> None:
    order = simulated.open(pair, PAIRS[pair]).order
    simulated.pay(order)
    simulated.node_of(order.send_asset.network).mine(12)
    for _ in range(3):
        simulated.tick()
    assert simulated.reload(order).state == states.SENT
    chain, required = order.get_asset.network, confirmations_required(get_asset(order.get_asset_id))
    for depth in range(1, required + 1):
        simulated.node_of(chain).mine(1)
        simulated.tick()
        assert (simulated.payouts(order)[0].state == wallet_states.CONFIRMED) is (depth == required), depth
        assert (simulated.reload(order).state == states.COMPLETED) is (depth == required), depth
