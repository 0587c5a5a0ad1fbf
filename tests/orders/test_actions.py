"""What an owner may do with an order, as tables: every state, with and without an address, before and after a payment."""

import pytest

from orders import states
from orders.actions import may_refund, may_set_payout_address, may_set_refund_address, refund_offered
from wallets import states as w

# the states in which the payout address may be set: (there is none, there is one and nothing was paid, it was paid)
ADDRESS = {
    states.AWAITING_DEPOSIT: (True, True, False),
    states.CONFIRMING: (True, False, False),
    states.EXCHANGING: (True, False, False),
}


@pytest.mark.parametrize("state", states.ORDER.states)
def test_the_payout_address_is_set_until_it_counts(state: str) -> None:
    cases = ((False, True), (True, False), (True, True))
    allowed = tuple(may_set_payout_address(state, given=given, paid=paid) for given, paid in cases)

    assert allowed == ADDRESS.get(state, (False, False, False))
    assert may_set_payout_address(state, given=False, paid=False) is (state in ADDRESS)


def test_the_refund_address_is_set_once() -> None:
    assert may_set_refund_address(given=False)
    assert not may_set_refund_address(given=True)


@pytest.mark.parametrize("state", states.ORDER.states)
@pytest.mark.parametrize("hold", states.HOLDS)
@pytest.mark.parametrize("actor", [states.CUSTOMER, states.MACHINE, states.OPERATOR, states.NOBODY])
def test_a_credited_payment_is_offered_back_when_we_kept_its_owner_waiting(state: str, hold: str, actor: str) -> None:
    ours = state == states.PAYING or (state == states.EXCHANGING and hold == states.LIQUIDITY)

    assert refund_offered(state=state, hold=hold, next_actor=actor) is (ours and actor == states.CUSTOMER)


REFUNDS = [
    # disposition, whether it is offered, and whether what is confirmed may go back
    ("", False, False),
    ("", True, False),
    (w.WAITING, False, True),
    (w.WAITING, True, True),
    (w.CREDIT, False, False),
    (w.CREDIT, True, True),
    (w.REFUND, True, False),
    (w.DUST, True, False),
]


@pytest.mark.parametrize(("disposition", "offered", "may"), REFUNDS)
@pytest.mark.parametrize("state", w.DEPOSIT.states)
def test_only_what_the_chain_has_goes_back(disposition: str, offered: bool, may: bool, state: str) -> None:
    assert may_refund(disposition, state, offered=offered) is (may and state == w.CONFIRMED)
