"""The exchange of these tests: on real nodes with real commits, and for modules without the mark `node` simulated too.

A test module that needs a node itself sets `pytestmark = pytest.mark.node`; its tests run there alone. The others run on
both kinds, so that `bin/test --fast` runs their simulated half. What only needs to be fast asks for the fixture `simulated`
(tests.plugin_exchange) anywhere in the suite.
"""

import pytest
from django.conf import LazySettings

from tests.exchange import ASSETS, Exchange

__all__ = ["ASSETS", "Exchange", "exchange"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the kinds of chains that each test of these modules runs on."""
    if "exchange" not in metafunc.fixturenames:
        return
    nodes = pytest.param("on_nodes", id="nodes", marks=pytest.mark.node)
    alone = any(mark.name == "node" for mark in metafunc.definition.iter_markers())
    metafunc.parametrize("exchange", [nodes] if alone else ["simulated", nodes], indirect=True)


@pytest.fixture
def exchange(request: pytest.FixtureRequest) -> Exchange:
    """The funded exchange of the kind that pytest_generate_tests chose; elsewhere in the suite on nodes."""
    site: Exchange = request.getfixturevalue(getattr(request, "param", "on_nodes"))
    return site


@pytest.fixture
def worker_env(exchange: Exchange, process_env: dict[str, str], settings: LazySettings) -> dict[str, str]:
    """Return the environment of a worker process of this test's exchange: its database, Redis, nodes, keys, journal."""
    return {
        **process_env,
        "LITECOIN_RPC_URL": exchange.litecoin.url,
        "ETHEREUM_RPC_URL": exchange.ethereum.url,
        "LITECOIN_ACCOUNT_KEY": settings.ACCOUNT_KEYS["litecoin"],
        "ETHEREUM_ACCOUNT_KEY": settings.ACCOUNT_KEYS["ethereum"],
        "KEY_FILE": settings.KEY_FILE,
        "PAYOUT_JOURNAL": settings.PAYOUT_JOURNAL,
    }
