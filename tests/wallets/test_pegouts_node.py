"""A payment out of MWEB on Litecoin Core itself, with MWEB alive: its first sight and its id outlive the change of ids."""

import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from core import clock
from tests.addresses import take_address
from tests.nodes import MwebNode
from wallets import states
from wallets.chains.core_rpc import CoreChain
from wallets.models import Deposit, PegoutSight
from wallets.scan import scan_chain

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.django_db, pytest.mark.usefixtures("roomy", "accounts")]
COIN = 10**8


@pytest.fixture
def node(tmp_path: Path) -> Iterator[MwebNode]:
    node = MwebNode(tmp_path / "litecoin")
    node.start()
    yield node
    node.stop(signal.SIGKILL)


def test_a_pegout_keeps_its_first_sight_and_its_id_when_it_is_mined_and_mined_again(node: MwebNode) -> None:
    start = clock.now()
    chain = CoreChain("litecoin", node.url)
    known: set[str] = set()

    def scan(minutes: int) -> None:
        assert scan_chain(node=chain, at=start + timedelta(minutes=minutes), known_mempool=known).finished

    while not scan_chain(node=chain, at=start, known_mempool=known).finished:
        pass
    address = take_address(chain="litecoin", owner_ref="O1", at=start).address
    txid = node.peg_out(address, 3 * COIN // 2)
    assert node.call("getrawmempool") == [txid]
    scan(1)
    assert not Deposit.objects.exists()
    sight = PegoutSight.objects.get()
    assert (sight.txid, sight.position, sight.amount_minor, sight.counts) == (txid, "0.0", 3 * COIN // 2, True)

    node.mine(1)
    scan(2)
    deposit = Deposit.objects.get()
    assert deposit.txid != txid
    assert (deposit.paid_by_txid, deposit.amount_minor, deposit.sight_counts) == (txid, 3 * COIN // 2, True)
    assert deposit.first_seen_at == start + timedelta(minutes=1)
    assert deposit.mature_height == deposit.block_height + 6

    node.reorganise(1)
    node.mine(3)
    scan(3)
    mined = Deposit.objects.get(block_height__isnull=False)
    assert (mined.paid_by_txid, mined.first_seen_at, mined.state) == (txid, deposit.first_seen_at, states.CONFIRMED)
    assert mined.block_hash != deposit.block_hash
    assert PegoutSight.objects.get().deposit == mined
