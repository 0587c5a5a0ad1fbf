"""A node that is merely behind is waited for; only another block at a height that both have is a reorganisation."""

import pytest
from django.conf import LazySettings
from django.db import DatabaseError

from core import clock
from ledger.models import Entry
from orders import states
from orders.facts import read_facts
from tests.nodes import LitecoinNode
from tests.simulated import SimulatedExchange
from wallets.chains.fake import FakeChain
from wallets.chains.registry import open_chain
from wallets.freeze import frozen_scopes
from wallets.models import BlockSeen, ChainState, Deposit, Payout
from wallets.scan import ScanReport, scan_chain


def scan(chain) -> ScanReport:
    return scan_chain(node=chain, at=clock.now(), known_mempool=set())


def everything_decided() -> list[object]:
    return [
        list(Deposit.objects.order_by("pk").values_list("state", "block_height", "reorg_count", "disposition")),
        list(Payout.objects.order_by("pk").values_list("state", "block_height", "reorg_count")),
        Entry.objects.count(),
        frozen_scopes(),
        list(ChainState.objects.order_by("pk").values_list("height", "block_hash")),
    ]


@pytest.mark.parametrize(
    ("pair", "send", "paid_in", "paid_out"),
    [
        ("ETHLTC", "1", "litecoin", "ethereum"),
        ("LTCETH", "0.05", "ethereum", "litecoin"),
    ],
)
@pytest.mark.parametrize("lag", [1, 4, 7, 77])
def test_a_node_that_lost_its_latest_blocks_undoes_nothing_and_goes_on_when_it_has_them_again(
    simulated: SimulatedExchange, pair: str, send: str, paid_in: str, paid_out: str, lag: int
) -> None:
    for chain in (paid_in, paid_out):
        simulated.node_of(chain).mine(80)
        simulated.scan(chain)
    done = simulated.open(pair, send).order
    simulated.pay(done)
    simulated.settle()
    assert simulated.reload(done).state == states.COMPLETED
    waiting = simulated.open(pair, send).order
    simulated.pay(waiting)
    simulated.tick()
    before = everything_decided()

    for chain in (paid_in, paid_out):
        node = simulated.node_of(chain)
        node.lag, pool, node.pool = lag, node.pool, {}
        for _ in range(2):
            report = scan(node)
            assert report.problem.startswith("behind: ")
            assert (report.blocks, report.rolled_back, report.finished) == (0, 0, False)
        assert read_facts().sides["LTC" if chain == "litecoin" else "ETH"].problem
        node.pool = pool
    assert everything_decided() == before

    for chain in (paid_in, paid_out):
        simulated.node_of(chain).lag = 0
        assert scan(simulated.node_of(chain)).finished
    assert not ChainState.objects.exclude(problem="").exists()
    simulated.settle()
    assert simulated.reload(waiting).state == states.COMPLETED
    assert simulated.reload(done).state == states.COMPLETED
    assert not frozen_scopes()


@pytest.fixture
def read_chain(db: None, roomy: None) -> FakeChain:
    chain = FakeChain("litecoin")
    chain.mine(20)
    scan(chain)
    return chain


@pytest.mark.parametrize(
    ("lost", "grown", "expected"),
    [
        (3, 0, "behind"),  # 3 blocks lost, nothing new
        (3, 1, "fork"),  # another block where we have one: a reorganisation, although the chain is shorter
        (3, 2, "fork"),
        (3, 3, "fork"),
        (3, 4, "fork"),
        (0, 0, "same"),
        (0, 1, "more"),
    ],
)
def test_only_another_block_at_the_same_height_is_a_reorganisation(read_chain, lost, grown, expected) -> None:
    height = ChainState.objects.get().height
    read_chain.blocks = read_chain.blocks[: len(read_chain.blocks) - lost]
    read_chain.mine(grown)

    report = scan(read_chain)

    assert report.problem.partition(":")[0] == ("behind" if expected == "behind" else "")
    assert report.rolled_back == (lost if expected == "fork" else 0)
    assert ChainState.objects.get().height == (height if expected == "behind" else read_chain.tip().height)


@pytest.mark.parametrize(("kept", "said"), [(True, "caught up"), (False, "too far to tell")])
def test_a_node_behind_what_we_remember_is_waited_for_too(read_chain: FakeChain, kept: bool, said: str) -> None:
    read_chain.lag = 5
    if not kept:
        BlockSeen.objects.filter(height__lte=read_chain.tip().height).delete()

    assert said in scan(read_chain).problem


@pytest.mark.parametrize(
    "failure", [RuntimeError("a bug of ours"), DatabaseError("\x00 \udcff odd"), ValueError("x" * 999)]
)
def test_every_failure_of_a_scan_stands_in_the_problem_and_stops_selling(read_chain, failure, monkeypatch) -> None:
    def fail(**_: object) -> None:
        raise failure

    read_chain.mine(1)
    with monkeypatch.context() as patch:
        patch.setattr("wallets.scan.record_block", fail)
        with pytest.raises(type(failure)):
            scan(read_chain)

        assert ChainState.objects.get().problem.startswith(f"scan_failed: {type(failure).__name__}")
        assert read_facts().sides["LTC"].problem

    assert scan(read_chain).finished
    assert ChainState.objects.get().problem == ""
    assert not read_facts().sides["LTC"].problem


@pytest.mark.node
def test_litecoin_core_that_lost_blocks_is_waited_for(
    db: None, roomy: None, litecoin_node: LitecoinNode, settings: LazySettings
) -> None:
    settings.MIN_PEERS = 0
    node = open_chain("litecoin", litecoin_node.url)
    litecoin_node.mine(8)
    while scan(node).blocks:
        pass
    tip = node.tip()
    lost = node.block_hash(tip.height - 6)

    litecoin_node.call("invalidateblock", lost)
    try:
        behind = scan(node)
        height = ChainState.objects.get().height
    finally:
        litecoin_node.call("reconsiderblock", lost)

    assert behind.problem.startswith(f"behind: the node is at {tip.height - 7}")
    assert (behind.rolled_back, height) == (0, tip.height)
    assert scan(node).finished
