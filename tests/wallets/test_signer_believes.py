"""What a signer holds a request against: the chain that was pinned, the nonce that was signed."""

from dataclasses import replace

import pytest

from tests.simulated import SimulatedExchange
from wallets import states
from wallets.models import NonceHold, Payout
from wallets.paying.advice import gather_advice
from wallets.paying.signing import request_signature


@pytest.fixture
def asked(simulated: SimulatedExchange, monkeypatch: pytest.MonkeyPatch) -> Payout:
    """A payout in ether that waits for its signature."""
    order = simulated.open("ETHLTC", "1").order
    simulated.pay(order)
    with monkeypatch.context() as patch:
        patch.setattr("tests.exchange.sign_payouts", lambda **_: 0)
        simulated.settle()
    return Payout.objects.get(state=states.REQUESTED)


def test_nothing_is_signed_for_another_chain_than_the_pinned_one(simulated: SimulatedExchange, asked: Payout) -> None:
    advice = gather_advice(simulated.client_of("ethereum"), at=simulated.now())
    advice = replace(advice, gas=21_000)
    for wrong in (1, advice.chain_id - 1, advice.chain_id + 1):
        outcome = request_signature(action="pay", payout_id=asked.pk, advice=replace(advice, chain_id=wrong))
        assert (outcome.signed, outcome.code) == (False, "other_network"), wrong
    assert not NonceHold.objects.exists()
    assert request_signature(action="pay", payout_id=asked.pk, advice=advice).signed
    for wrong in (1, advice.chain_id + 1):
        outcome = request_signature(action="outbid", payout_id=asked.pk, advice=replace(advice, chain_id=wrong))
        assert (outcome.signed, outcome.code) == (False, "other_network"), wrong


def test_a_payout_that_holds_two_nonces_is_not_outbid_on_the_one_that_came_back(
    simulated: SimulatedExchange, asked: Payout
) -> None:
    """A reorganisation can free a nonce after its payout was signed anew with another: both could then be mined."""
    advice = replace(gather_advice(simulated.client_of("ethereum"), at=simulated.now()), gas=21_000)
    assert request_signature(action="pay", payout_id=asked.pk, advice=advice).signed
    (hold,) = NonceHold.objects.all()
    # The lower one, which another transaction had used and which is free again.
    NonceHold.objects.create(chain="ethereum", sender=hold.sender, nonce=hold.nonce - 1, payout=asked)
    dearer = replace(advice, base_minor=advice.base_minor * 2)

    outcome = request_signature(action="outbid", payout_id=asked.pk, advice=dearer)

    assert (outcome.signed, outcome.code) == (False, "nonce_back")
    assert asked.attempts.count() == 1
    NonceHold.objects.filter(nonce=hold.nonce - 1).update(spent_txid="elsewhere", spent_height=1)
    assert request_signature(action="outbid", payout_id=asked.pk, advice=dearer).signed
