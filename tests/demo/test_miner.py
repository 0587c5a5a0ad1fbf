"""The miner: blocks for both chains, coins for the house, an end when it is told to, and nothing at all on a live site."""

import signal
import subprocess
import sys
import time

import pytest
from django.core.management import CommandError, call_command

from core import clock
from demo.management.commands import demo_miner
from demo.nodes import NotPlayMoney
from tests.nodes import ROOT
from wallets.addresses import house_address
from wallets.chains.core_rpc import CoreChain
from wallets.chains.evm import EVMChain
from wallets.chains.protocol import ChainError


@pytest.fixture
def node_urls(litecoin_node, ethereum_node, settings):
    settings.CHAIN_RPC_URLS = {"litecoin": litecoin_node.url, "ethereum": ethereum_node.url}
    return settings.CHAIN_RPC_URLS


def heights(litecoin_node, ethereum_node):
    return litecoin_node.call("getblockcount"), int(ethereum_node.call("eth_blockNumber"), 16)


@pytest.mark.node
def test_mines_both_chains_and_fills_the_house_once(db, keys, node_urls, litecoin_node, ethereum_node):
    litecoin, ethereum = heights(litecoin_node, ethereum_node)

    call_command("demo_miner", blocks=3, every=0)
    call_command("demo_miner", blocks=1, every=0)  # another start finds the house full

    assert heights(litecoin_node, ethereum_node) == (litecoin + 4, ethereum + 4)
    house = {chain: house_address(chain=chain, at=clock.now()).address for chain in node_urls}
    litoshi = CoreChain("litecoin", node_urls["litecoin"]).balance([house["litecoin"]])
    wei = EVMChain("ethereum", node_urls["ethereum"]).balance([house["ethereum"]])
    assert list(litoshi.values()) == [300 * 10**8]
    assert list(wei.values()) == [50 * 10**18]


@pytest.mark.node
def test_ends_when_told_to(committed_db, keys, node_urls, settings, process_env, litecoin_node, ethereum_node):
    environment = {f"{chain.upper()}_RPC_URL": url for chain, url in node_urls.items()}
    environment |= {f"{chain.upper()}_ACCOUNT_KEY": key for chain, key in settings.ACCOUNT_KEYS.items()}
    command = [sys.executable, str(ROOT / "manage.py"), "demo_miner", "--every", "60"]
    before = heights(litecoin_node, ethereum_node)
    miner = subprocess.Popen(command, env=process_env | environment)
    try:
        deadline = time.monotonic() + 30
        while not all(now > then for now, then in zip(heights(litecoin_node, ethereum_node), before, strict=True)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        miner.send_signal(signal.SIGTERM)

        assert miner.wait(timeout=10) == 0
    finally:
        miner.kill()


def test_refuses_a_live_site(settings):
    settings.SITE_MODE = "live"

    with pytest.raises(CommandError, match="live"):
        call_command("demo_miner", blocks=1, every=0)


@pytest.mark.django_db  # after a failure the miner closes connections that are too old
def test_says_which_node_never_answered(settings):
    settings.CHAIN_RPC_URLS = {"litecoin": "http://127.0.0.1:9", "ethereum": "http://127.0.0.1:9"}

    with pytest.raises(CommandError, match=r"litecoin node does not work: .* LITECOIN_RPC_URL"):
        call_command("demo_miner", blocks=1, every=0, wait=0)


class Chain:
    """A play chain that answers `mine` with what is next in `fates`."""

    def __init__(self, *fates):
        self.fates, self.prepared, self.mined = list(fates), 0, 0

    def prepare(self, *, at):
        self.prepared += 1

    def mine(self):
        fate = self.fates.pop(0)
        if fate:
            raise fate
        self.mined += 1


def mine(monkeypatch, chain, blocks):
    monkeypatch.setattr(demo_miner, "FUND", {"litecoin": lambda _play, **_: False})
    monkeypatch.setattr(demo_miner, "open_play", lambda _network: chain)
    call_command("demo_miner", blocks=blocks, every=0, wait=0)


@pytest.mark.django_db
def test_goes_on_after_a_node_was_away_and_prepares_it_again(monkeypatch):
    chain = Chain(None, ChainError("refused"), ChainError("refused"), None, None)

    mine(monkeypatch, chain, 5)

    assert (chain.prepared, chain.mined) == (3, 3)


def test_stops_at_once_on_a_chain_that_is_worth_something(monkeypatch):
    chain = Chain(None, NotPlayMoney("the Litecoin node is not a regtest node"), None)

    with pytest.raises(CommandError, match="not a regtest node"):
        mine(monkeypatch, chain, 3)
    assert chain.mined == 1
