"""Hostile blocks on litecoind and anvil, read by a worker process: finished within its memory, every ordinary payment credited.

HOSTILE_NODE_BLOCKS says how many on each chain, HOSTILE_OUTPUTS how large, HOSTILE_SEED which (bin/nightly: many).
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings

from tests.exchange import Exchange
from tests.flows.worker import WorkerProcess
from tests.hostile.node_blocks import EthereumMaker, LitecoinMaker
from wallets import states
from wallets.models import ChainState, Deposit

pytestmark = pytest.mark.node

BLOCKS = int(os.environ.get("HOSTILE_NODE_BLOCKS", "4"))
OUTPUTS = int(os.environ.get("HOSTILE_OUTPUTS", "150"))
SEED = int(os.environ.get("HOSTILE_SEED", "1"))
# docker-compose.yml gives a worker 512 MB; beside the process that works, Celery's own takes less than a hundred.
MOST_MB = 400


@pytest.fixture
def worker(on_nodes: Exchange, process_env: dict[str, str], settings: LazySettings) -> Iterator[WorkerProcess]:
    env = {f"{chain.upper()}_RPC_URL": on_nodes.node_of(chain).url for chain in ("litecoin", "ethereum")}
    keys = {f"{chain.upper()}_ACCOUNT_KEY": key for chain, key in settings.ACCOUNT_KEYS.items()}
    child = WorkerProcess({**process_env, **env, **keys, "KEY_FILE": settings.KEY_FILE})
    yield child
    child.close()


def peak_mb(process: int) -> int:
    """Return the most memory that a process ever held, in MB, as the kernel counted it."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def test_a_worker_finishes_them_within_its_memory(on_nodes: Exchange, worker: WorkerProcess) -> None:
    choose = random.Random(SEED)
    lite = [on_nodes.open("ETHLTC", "1").order.deposit_address for _ in range(3)]
    ether = [on_nodes.open("LTCETH", "0.05").order.deposit_address for _ in range(3)]
    makers = [
        LitecoinMaker(on_nodes.litecoin, choose, lite, OUTPUTS),
        EthereumMaker(on_nodes.ethereum, choose, ether),
    ]
    for _ in range(BLOCKS):
        for maker in makers:
            maker.mine()
        assert worker.tick()
    honest = makers[0].honest | makers[1].honest
    recorded = dict(Deposit.objects.filter(txid__in=honest).values_list("txid", "amount_minor"))
    assert recorded == honest

    on_nodes.mine(14)
    for _ in range(3):
        assert worker.tick()
    for chain in ("litecoin", "ethereum"):
        assert ChainState.objects.get(code=chain).height == on_nodes.client_of(chain).tip().height
    assert not Deposit.objects.filter(txid__in=honest).exclude(state=states.CONFIRMED).exists()
    assert not Deposit.objects.filter(txid__in=honest, disposition="").exists()
    assert peak_mb(worker.pid) < MOST_MB
