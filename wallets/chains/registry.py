"""Which adapter speaks to which chain."""

from wallets.chains.core_rpc import CoreChain
from wallets.chains.evm import EVMChain
from wallets.chains.protocol import Chain


def open_chain(code: str, url: str) -> Chain:
    """Return a client for the node at `url`. Raises: KeyError for a chain nobody wrote an adapter for."""
    adapters: dict[str, type[CoreChain | EVMChain]] = {
        "litecoin": CoreChain,
        "bitcoin": CoreChain,
        "dogecoin": CoreChain,
        "ethereum": EVMChain,
    }
    return adapters[code](code, url)
