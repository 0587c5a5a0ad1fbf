"""The chains of wallets.chains.fake with what tests do to a node of tests.nodes: an exchange without processes or waiting."""

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta

from eth_utils.address import to_checksum_address

from orders.models import Order
from tests.exchange import Exchange
from wallets.addresses import house_address
from wallets.chains.derivation import derive_address
from wallets.chains.fake import FakeChain
from wallets.models import Deposit, Payout

# The public account key of nobody here: the customers' Litecoin addresses are derived from it.
CUSTOMERS = (
    "tpubD6NzVbkrYhZ4XgiXtGrdW5XDAPFCL9h7we1vwNCpn8tGbBcgfVYjXyhWo4E1xkh56hjod1RhGjxbaTLV3X4FyWuejifB9jusQ46QzG87VKp"
)


class SimulatedNode(FakeChain):
    """A simulated chain that can do what the suite's real nodes can. `now` gives its blocks their times."""

    def __init__(self, code: str, *, now: Callable[[], datetime]) -> None:
        super().__init__(code, now=now)
        self._customers = itertools.count(1)

    def new_address(self) -> str:
        """Return an address of nobody's that no test was given before on this chain."""
        index = next(self._customers)
        if self.has_nonces:
            return str(to_checksum_address(f"0x{index:040x}".replace("0x0000", "0xfeed")))
        return derive_address(self.code, "regtest", CUSTOMERS, 0, index)

    def received(self, address: str) -> int:
        """Return what an address received in blocks, in minor units."""
        return self.balance([address])[address]


class SimulatedExchange(Exchange):
    """Time stands still between the steps of a test: `later()` moves it. Blocks are dated by it."""

    def __init__(self, start: datetime) -> None:
        self.started_at = start
        super().__init__(SimulatedNode("litecoin", now=self.now), SimulatedNode("ethereum", now=self.now))

    def now(self) -> datetime:
        # The chains ask while the dataclass is still being made.
        return self.started_at + getattr(self, "offset", timedelta(0))

    def client_of(self, chain: str) -> SimulatedNode:
        node: SimulatedNode = self.node_of(chain)
        return node

    def fund(self, chain: str, minor: int, times: int = 1) -> None:
        """Put coins into the house wallet and confirm them; a few blocks are enough here."""
        address = house_address(chain=chain, at=self.now()).address
        for _ in range(times):
            self.node_of(chain).send(address, minor)
        self.node_of(chain).mine(3)
        self.scan(chain)

    def settle(self, rounds: int = 6) -> None:
        """Mine and tick until nothing changes any more, at most so often."""
        before: list[object] = []
        for _ in range(rounds):
            super().settle(1)
            now = [
                list(Order.objects.order_by("pk").values_list("pk", "transition_count")),
                list(Payout.objects.order_by("pk").values_list("pk", "state", "block_height")),
                list(Deposit.objects.order_by("pk").values_list("pk", "state", "disposition")),
            ]
            if now == before:
                return
            before = list(now)

    def later(self, **span: float) -> None:
        """Let time pass, in words of `timedelta`, and mine a block on each chain, as nobody trusts an old tip."""
        self.offset += timedelta(**span)
        self.mine(1)
