"""wallets.paying.advice: what the signer is told of the node at this moment, for both families."""

from dataclasses import replace

import pytest

from tests.simulated import SimulatedExchange
from tests.wallets.signer.rows import NOW, make_attempt, make_payout, raw_spending, txid_of
from tests.wallets.test_stuck_payouts import payout_of, want_payout
from wallets import states
from wallets.addresses import house_text
from wallets.chains.fake import FakeChain
from wallets.paying.advice import gather_advice


def test_what_a_node_with_nonces_says(simulated: SimulatedExchange) -> None:
    node = simulated.ethereum
    node.fees = replace(node.fees, per_unit_minor=11, floor_minor=12, base_minor=13, priority_minor=14)
    advice = gather_advice(node, at=simulated.now(), by="ann", because="she asked")
    assert (advice.chain, advice.chain_id, advice.gas) == ("ethereum", node.chain_id, 0)
    assert (advice.fee_rate_minor, advice.relay_rate_minor) == (11, 12)
    assert (advice.base_minor, advice.priority_minor) == (13, 14)
    assert (advice.first_nonce, advice.balance_minor) == (0, 100 * 10**18)
    assert (advice.in_mempool, advice.has_nonces) == ((), True)
    assert (advice.at, advice.by, advice.because) == (simulated.now(), "ann", "she asked")


def test_nonce_and_balance_are_those_of_mined_transactions(simulated: SimulatedExchange) -> None:
    order = want_payout(simulated, "ethereum")
    before = gather_advice(simulated.ethereum, at=simulated.now())
    assert (before.first_nonce, before.balance_minor, before.in_mempool) == (0, 100 * 10**18, ())
    simulated.ethereum.mine()
    after = gather_advice(simulated.ethereum, at=simulated.now())
    held = simulated.ethereum.received(house_text("ethereum"))
    assert (after.first_nonce, after.balance_minor) == (1, held)
    assert held < 100 * 10**18 - payout_of(order).amount_minor


def test_of_the_mempool_only_what_is_ours_and_there_now(simulated: SimulatedExchange) -> None:
    site = simulated
    first = payout_of(want_payout(site, "litecoin")).attempts.get()
    site.litecoin.send(site.litecoin.new_address(), 10**8)  # somebody's
    advice = gather_advice(site.litecoin, at=site.now())
    assert advice.in_mempool == (first.txid,)
    assert (advice.first_nonce, advice.balance_minor, advice.has_nonces) == (None, None, False)
    assert (advice.by, advice.because) == ("machine", "")
    site.litecoin.forget_mempool()
    assert gather_advice(site.litecoin, at=site.now()).in_mempool == ()


@pytest.mark.parametrize(
    ("state", "block", "counts"),
    [
        (states.SIGNED, None, True),
        (states.BROADCAST, None, True),
        (states.BROADCAST, 5, False),
        (states.IN_DOUBT, None, False),
        (states.REQUESTED, None, False),
        (states.CONFIRMED, None, False),
    ],
)
@pytest.mark.django_db
@pytest.mark.usefixtures("accounts")
def test_what_may_be_built_upon(monkeypatch: pytest.MonkeyPatch, state: str, block: int | None, counts: bool) -> None:
    node = FakeChain("litecoin", now=lambda: NOW)
    attempt = make_attempt(make_payout(state=state), raw_spending((txid_of("x"), 0)), block_height=block)
    make_attempt(make_payout(state=states.BROADCAST), raw_spending((txid_of("evicted"), 0)))
    monkeypatch.setattr(node, "list_mempool", lambda: ["other", attempt.txid])
    assert gather_advice(node, at=NOW).in_mempool == ((attempt.txid,) if counts else ())
