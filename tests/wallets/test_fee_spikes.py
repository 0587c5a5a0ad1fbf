"""Fees that rise many times over for an hour and fall again, at each moment of a payout's life, on both families."""

import pytest

from tests.simulated import SimulatedExchange
from tests.wallets.test_stuck_payouts import GWEI, check_paid_once, payout_of, settle, wait, want_payout
from wallets import states

# chain, ordinary rate, how many times over, and when the rise comes
RATES = {"litecoin": 10, "ethereum": GWEI}
MOMENTS = ("requested", "sent", "evicted", "outbid")
CASES = [(chain, 60, moment) for chain in RATES for moment in MOMENTS]
CASES += [pytest.param(chain, 4, moment, marks=pytest.mark.slow) for chain in RATES for moment in MOMENTS]
HELD = ("fee_over_cap", "fee_refused", "lane_over_cap", "at_fee_cap", "nonce_used_up", "coins_short", "reopened")


@pytest.mark.parametrize(("chain", "times", "moment"), CASES)
def test_a_rise_of_an_hour(simulated: SimulatedExchange, chain: str, times: int, moment: str) -> None:
    node, dear = simulated.node_of(chain), RATES[chain] * times
    if moment == "requested":
        node.charge(dear)
    order = want_payout(simulated, chain)
    if moment == "evicted":
        node.forget_mempool()
    if moment == "outbid":
        node.charge(2 * RATES[chain])
        wait(simulated)
    if moment != "requested":
        node.charge(dear)

    for _ in range(4):
        wait(simulated, minutes=15)
        payout = payout_of(order)
        moving = payout.attempts.filter(block_height__isnull=False).exists() or payout.state == states.BROADCAST
        assert moving or payout.problem.startswith(HELD), (payout.state, payout.problem)
        for attempt in payout.attempts.filter(pays=True):
            assert attempt.fee_minor <= payout.fee_cap_minor
    node.charge(RATES[chain])
    for _ in range(3):
        wait(simulated)

    settle(simulated)
    check_paid_once(simulated, order)
