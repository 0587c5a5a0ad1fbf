"""The funded exchange of a test: `simulated` on chains in memory, rolled back afterwards; `on_nodes` with real commits."""

import contextlib
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection
from embit.bip32 import HDKey
from embit.networks import NETWORKS

from core import clock
from ledger.balances import find_imbalances
from tests.exchange import Exchange
from tests.nodes import EthereumNode, LitecoinNode
from tests.simulated import SimulatedExchange

PATHS = {"litecoin": "m/84h/1h/0h", "ethereum": "m/44h/60h/0h"}


def make_keys(folder: Path, settings: LazySettings, seed: bytes) -> None:
    """Give the site account keys from a seed, a key file to sign with, and a payout journal, all in `folder`."""
    # As make_demo_keys writes them: a served process of a demo refuses keys of a main network.
    networks = {"litecoin": "test", "ethereum": "main"}
    accounts = {
        chain: HDKey.from_seed(seed, version=NETWORKS[networks[chain]]["xprv"]).derive(path)
        for chain, path in PATHS.items()
    }
    path = folder / "keys.json"
    path.write_text(json.dumps({c: {"account_private": k.to_base58(), "path": ""} for c, k in accounts.items()}))
    settings.KEY_FILE = str(path)
    settings.ACCOUNT_KEYS = {c: k.to_public().to_base58() for c, k in accounts.items()}
    settings.PAYOUT_JOURNAL = str(folder / "payouts.journal")


@pytest.fixture
def keys(tmp_path: Path, settings: LazySettings) -> None:
    """Account keys of this test alone: the nodes live longer, addresses must not repeat."""
    make_keys(tmp_path, settings, secrets.token_bytes(32))


@pytest.fixture
def on_nodes(
    committed_db: None, keys: None, litecoin_node: LitecoinNode, ethereum_node: EthereumNode
) -> Iterator[Exchange]:
    """A funded exchange on real nodes. Afterwards the books must balance, whatever the test did."""
    site = Exchange(litecoin_node, ethereum_node)
    site.mine(1)
    site.scan("litecoin")
    site.scan("ethereum")
    # A regtest chain yields 15,000 LTC in all, which must last for every test of the run.
    site.fund("litecoin", 25 * 10**8)
    site.fund("ethereum", 100 * 10**18)
    site.price()
    yield site
    assert find_imbalances() == []
    assert find_faults() == []


def find_faults() -> list[tuple[str, str]]:
    """List the payouts that stand against no stored fact: a role of a served site could not have committed them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT purpose, fault FROM wallets_payout p, orders_payout_fault(p.id) fault
               WHERE fault IS NOT NULL AND state NOT IN ('REJECTED', 'REVERTED')"""
        )
        return list(cursor.fetchall())


@contextlib.contextmanager
def _funded() -> Iterator[SimulatedExchange]:
    """Open a simulated exchange, whose clock is everybody's; afterwards its books must hold, whatever the test did."""
    site = SimulatedExchange(clock.now())
    with clock.clock_reads(site.now):
        site.mine(1)
        site.scan("litecoin")
        site.scan("ethereum")
        site.fund("litecoin", 25 * 10**8)
        site.fund("ethereum", 100 * 10**18)
        site.price()
        yield site
    assert find_imbalances() == []
    assert find_faults() == []


@pytest.fixture
def simulated(db: None, tmp_path: Path, settings: LazySettings) -> Iterator[SimulatedExchange]:
    """A funded exchange on simulated chains, in a transaction that is rolled back; its constraints must hold, too."""
    make_keys(tmp_path, settings, b"\x05" * 32)
    with _funded() as site:
        yield site
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.fixture
def simulated_committed(committed_db: None, tmp_path: Path, settings: LazySettings) -> Iterator[SimulatedExchange]:
    """The same with real commits: for what one transaction would make slow or hide."""
    make_keys(tmp_path, settings, b"\x06" * 32)
    with _funded() as site:
        yield site
