"""Fixtures of the real nodes; one of each for the whole run, started when a test first asks."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nodes import EthereumNode, LitecoinNode


@pytest.fixture(scope="session")
def litecoin_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LitecoinNode]:
    node = LitecoinNode(Path(tmp_path_factory.mktemp("litecoin")))
    node.start()
    yield node
    node.stop(signal.SIGKILL)  # Core waits 30 s for kept-alive connections otherwise; the folder is thrown away


@pytest.fixture(scope="session")
def ethereum_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EthereumNode]:
    node = EthereumNode(Path(tmp_path_factory.mktemp("ethereum")))
    node.start()
    yield node
    node.stop()
