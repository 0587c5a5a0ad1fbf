"""The nodes this process speaks to: opened once per process and thread from settings, never shared between forks."""

import os
import threading

from django.conf import settings

from wallets.chains.protocol import Chain
from wallets.chains.registry import open_chain

_local = threading.local()


def get_node(chain: str) -> Chain:
    """Return this thread's client for a chain. Raises: KeyError when no address of a node is configured."""
    url = settings.CHAIN_RPC_URLS[chain]
    if not url:
        raise KeyError(f"set {chain.upper()}_RPC_URL to reach a {chain} node")
    if getattr(_local, "pid", None) != os.getpid():
        _local.pid, _local.nodes, _local.mempools = os.getpid(), {}, {}
    if _local.nodes.get(chain, (None, ""))[1] != url:
        _local.nodes[chain] = (open_chain(chain, url), url)
        _local.mempools[chain] = set()
    node: Chain = _local.nodes[chain][0]
    return node


def known_mempool(chain: str) -> set[str]:
    """Return the ids of unmined transactions that this thread has already looked at; only an economy."""
    get_node(chain)
    known: set[str] = _local.mempools[chain]
    return known


def configured_chains() -> list[str]:
    """List the chains that have a node configured."""
    return sorted(chain for chain, url in settings.CHAIN_RPC_URLS.items() if url)
