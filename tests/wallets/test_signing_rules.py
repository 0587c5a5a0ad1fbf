"""What the signer refuses: a fee over the cap, nonsense, and a payout whose deposit is not confirmed now; to the unit."""

import pytest

from tests.simulated import SimulatedExchange
from wallets import states
from wallets.models import Attempt, Deposit, Payout
from wallets.signer.keys import SignerRefused, sign_nonce

GAS, CAP = 21_000, 21_000 * 50


@pytest.mark.parametrize(
    ("max_fee", "tip", "amount", "signed"),
    [
        (50, 50, 1, True),  # the whole cap
        (51, 50, 1, False),
        (49, 49, 1, True),
        (50, 51, 1, False),  # a tip over the most that is offered
        (50, 0, 0, True),
        (50, 0, -1, False),
    ],
)
def test_a_payment_with_a_nonce_costs_at_most_its_cap(
    simulated: SimulatedExchange, max_fee: int, tip: int, amount: int, signed: bool
) -> None:
    def sign() -> int:
        return sign_nonce(
            chain="ethereum",
            chain_id=31337,
            nonce=0,
            address=simulated.ethereum.new_address(),
            amount_minor=amount,
            gas=GAS,
            max_fee_minor=max_fee,
            priority_minor=tip,
            fee_cap_minor=CAP,
        ).fee_minor

    if signed:
        assert sign() == GAS * max_fee
    else:
        with pytest.raises(SignerRefused):
            sign()


@pytest.mark.parametrize("pair", ["ETHLTC", "LTCETH"])
def test_a_payout_whose_deposit_is_gone_is_not_signed(
    simulated: SimulatedExchange, monkeypatch: pytest.MonkeyPatch, pair: str
) -> None:
    order = simulated.open(pair, "1" if pair == "ETHLTC" else "0.05").order
    simulated.pay(order)
    with monkeypatch.context() as patch:
        patch.setattr("tests.exchange.sign_payouts", lambda **_: 0)
        simulated.settle()
    assert Payout.objects.get().state == states.REQUESTED
    Deposit.objects.filter(owner_ref=order.reference).update(state=states.REMOVED, news=False)

    simulated.settle(2)

    assert not Attempt.objects.exists()
    Deposit.objects.filter(owner_ref=order.reference).update(state=states.CONFIRMED)
    simulated.settle()
    assert simulated.paid(order) == order.get_minor
