"""Hostile blocks are finished, one after the other, and every ordinary deposit in them is recorded.

HOSTILE_BLOCKS says how many on each chain, HOSTILE_OUTPUTS how large (few and small here, 500 and 2,500 in bin/nightly),
HOSTILE_SEED which.
"""

import os
import resource

import pytest

from tests.hostile.blocks import Maker
from tests.simulated import SimulatedExchange
from wallets import states
from wallets.models import ChainState, Deposit
from wallets.scan import scan_chain

BLOCKS = int(os.environ.get("HOSTILE_BLOCKS", "6"))
OUTPUTS = int(os.environ.get("HOSTILE_OUTPUTS", "150"))
SEED = int(os.environ.get("HOSTILE_SEED", "1"))
MOST_MB = 200  # that the process grows by: a worker may have 512 in all
PAIRS = {"litecoin": "ETHLTC", "ethereum": "LTCETH"}


@pytest.mark.parametrize("chain", PAIRS)
def test_every_block_is_finished_and_every_honest_deposit_recorded(
    simulated_committed: SimulatedExchange, chain: str
) -> None:
    amount = "1" if chain == "litecoin" else "0.05"
    site = simulated_committed
    orders = [site.open(PAIRS[chain], amount).order for _ in range(3)]
    maker = Maker(chain, SEED, [order.deposit_address for order in orders], OUTPUTS)
    node = site.node_of(chain)

    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(BLOCKS):
        node.blocks.append(maker.block(node.blocks[-1]))
        report = scan_chain(node=node, at=site.now(), known_mempool=set())
        assert (report.blocks, report.finished, report.problem) == (1, True, "")
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) >> 10

    assert ChainState.objects.get(code=chain).block_hash == node.blocks[-1].hash
    recorded = dict(Deposit.objects.filter(txid__in=maker.honest).values_list("txid", "amount_minor"))
    assert recorded == maker.honest
    assert grown_mb < MOST_MB
    node.mine(12)
    site.scan(chain)
    unconfirmed = Deposit.objects.filter(txid__in=maker.honest).exclude(state=states.CONFIRMED)
    assert not unconfirmed.exists()
