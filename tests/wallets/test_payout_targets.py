"""Payouts to contracts, which do what their owners like: none costs more than it may, is an option, or holds up others."""

import pytest

from core.assets import get_asset
from orders import states
from orders.models import Order
from orders.redirect import send_elsewhere
from tests.simulated import SimulatedExchange
from tests.wallets.test_stuck_payouts import GWEI, check_paid_once, payout_of, settle, wait, want_payout
from wallets import states as wallet_states
from wallets.chains.signing import read_signed_evm

CONTRACT = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def open_to_contract(site: SimulatedExchange, gas: int) -> Order:
    """Return a paid order to a contract that takes so much gas (0: it takes no payment); signing was tried once."""
    site.ethereum.contracts[CONTRACT] = gas
    order = site.open(payout_address=CONTRACT).order
    site.pay(order)
    site.litecoin.mine(14)
    site.tick()
    site.tick()
    return order


@pytest.mark.parametrize(
    ("gas", "signed"), [(0, False), (59_999, True), (60_000, True), (60_001, False), (10**7, False)]
)
def test_a_contract_takes_no_more_gas_than_a_payout_may_use(
    simulated: SimulatedExchange, gas: int, signed: bool
) -> None:
    assert get_asset("ETH").payout_units == 60_000

    payout = payout_of(open_to_contract(simulated, gas))

    if signed:
        assert read_signed_evm(payout.attempts.get().raw).gas == gas
        return
    assert (payout.state, payout.attempts.count()) == (wallet_states.REJECTED, 0)
    assert payout.problem.startswith("target_refuses" if gas == 0 else "target_costly")


@pytest.mark.parametrize("gas", [0, 10**7])
def test_who_refuses_the_payout_gets_no_choice_between_it_and_the_deposit(
    simulated: SimulatedExchange, gas: int
) -> None:
    order = open_to_contract(simulated, gas)
    assert simulated.reload(order).next_actor == states.OPERATOR

    for _ in range(8):
        simulated.later(hours=1)
        simulated.tick()
    simulated.ethereum.contracts[CONTRACT] = 30_000  # the market has moved in its owner's favour
    simulated.tick()

    assert (simulated.reload(order).state, simulated.reload(order).next_actor) == (states.PAYING, states.OPERATOR)
    assert payout_of(order).state == wallet_states.REJECTED
    target = simulated.ethereum.new_address()
    send_elsewhere(
        order_reference=order.reference,
        payout_id=payout_of(order).pk,
        address=target,
        address_repeated=target,
        at=simulated.now(),
        actor="operator",
    )
    settle(simulated)
    check_paid_once(simulated, simulated.reload(order))


@pytest.mark.parametrize("now_takes", [0, 10**7])
def test_a_contract_that_changes_its_mind_holds_up_no_lane(simulated: SimulatedExchange, now_takes: int) -> None:
    simulated.ethereum.charge(GWEI)
    order = open_to_contract(simulated, 36_000)
    other = want_payout(simulated, "ethereum")
    assert payout_of(order).state == payout_of(other).state == wallet_states.BROADCAST

    simulated.ethereum.contracts[CONTRACT] = now_takes
    simulated.ethereum.charge(5 * GWEI)
    wait(simulated)
    assert [payout_of(one).attempts.count() for one in (order, other)] == [2, 1]
    assert read_signed_evm(payout_of(order).attempts.get(n=2).raw).gas == 36_000
    wait(simulated)
    settle(simulated)

    check_paid_once(simulated, order, other)
