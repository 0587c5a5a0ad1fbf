"""wallets.safety.outgoing_match: after a restore, what left our wallet and no intent explains is named, and nothing else."""

import pytest

from tests.simulated import SimulatedExchange
from tests.wallets.test_payout_cases import put_in_doubt
from tests.wallets.test_stuck_payouts import payout_of, want_payout
from wallets.safety.outgoing_match import match_outgoing


@pytest.mark.parametrize("chain", ["litecoin", "ethereum"])
def test_our_payouts_and_what_strangers_do_are_explained(simulated: SimulatedExchange, chain: str) -> None:
    node = simulated.node_of(chain)
    order = want_payout(simulated, chain)
    node.send(node.new_address(), 10**8)
    node.mine(1)
    assert any(payout_of(order).attempts.get().txid == tx.txid for block in node.blocks for tx in block.txs)
    assert match_outgoing(node=node, since_height=0) == []


@pytest.mark.parametrize("chain", ["litecoin", "ethereum"])
def test_what_somebody_else_signed_with_our_key_is_named(simulated: SimulatedExchange, chain: str) -> None:
    node = simulated.node_of(chain)
    simulated.fund(chain, 25 * 10 ** (8 if chain == "litecoin" else 18))
    _order, _payout, txid = put_in_doubt(simulated, chain, pay=False)
    height = next(block.height for block in node.blocks for tx in block.txs if tx.txid == txid)
    assert match_outgoing(node=node, since_height=-5) == [txid]
    assert match_outgoing(node=node, since_height=height) == [txid]
    assert match_outgoing(node=node, since_height=height + 1) == []
