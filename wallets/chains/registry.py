"""Which adapter speaks to which chain."""

from wallets.chains.core_rpc import CoreChain
from wallets.chains.evm import EVMChain
from wallets.chains.protocol import Chain

_ADAPTERS: dict[str, type[CoreChain | EVMChain]] = {
    "litecoin": CoreChain,
    "bitcoin": CoreChain,
    "dogecoin": CoreChain,
    "ethereum": EVMChain,
}


def open_chain(code: str, url: str) -> Chain:
    """Return a client for the node at `url`. Raises: KeyError for a chain nobody wrote an adapter for."""
    return _ADAPTERS[code](code, url)


def has_outputs(code: str) -> bool:
    """Say whether a chain has outputs to spend (True) or accounts with nonces; no node is asked. Raises: KeyError."""
    return not _ADAPTERS[code].has_nonces
