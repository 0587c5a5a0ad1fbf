"""The demo's own chains outlive their nodes: the site knows a chain by its first block and refuses another."""

import signal
import subprocess
import time

import pytest

from tests.nodes import ROOT, EthereumNode

pytestmark = pytest.mark.node
SAVED_EVERY_S = 5


class KeptNode(EthereumNode):
    """The Ethereum node as bin/run starts it."""

    def command(self):
        return [str(ROOT / "bin/node"), "ethereum", str(self.port), str(self.folder)]

    def genesis(self):
        return self.call("eth_getBlockByNumber", "0x0", False)["hash"]

    def height(self):
        return int(self.call("eth_blockNumber"), 16)


@pytest.fixture
def node(tmp_path):
    kept = KeptNode(tmp_path)
    kept.start()
    yield kept
    kept.stop(signal.SIGKILL)


def test_the_chain_is_the_same_after_every_start(node):
    genesis = node.genesis()
    address = node.new_address()
    node.send(address, 7)
    node.mine(1)
    for _start in range(4):  # anvil once answered with any of the first blocks of its starts
        time.sleep(1)  # a first block of another second would be another block
        height = node.height()
        node.restart()
        assert node.genesis() == genesis
        assert node.height() == height + 1  # start() mines one
        assert node.received(address) == 7


def test_a_killed_node_loses_seconds_and_not_the_chain(node):
    genesis = node.genesis()
    address = node.new_address()
    node.send(address, 7)
    node.mine(3)
    time.sleep(SAVED_EVERY_S + 2)
    node.mine(1)
    node.restart(signal.SIGKILL)

    assert node.genesis() == genesis
    assert node.received(address) == 7


def test_an_unknown_chain_is_refused(tmp_path):
    ended = subprocess.run([ROOT / "bin/node", "dogecoin", "1", tmp_path], check=False)
    assert ended.returncode == 2
