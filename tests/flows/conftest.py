"""A whole exchange on real nodes with real commits, driven tick by tick in this process."""

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from embit.bip32 import HDKey

from core import clock
from core.snapshot import forget_all
from ledger.balances import find_imbalances
from orders.credit import follow_deposits
from orders.expire import escalate_overdue, expire_due_orders, offer_refunds
from orders.models import Order
from orders.open import Opened, open_order
from orders.payout import follow_payouts, request_payouts
from orders.quotes import make_quote, read_quote
from tests.nodes import EthereumNode, LitecoinNode
from ticker.models import MarketState
from wallets.addresses import house_address
from wallets.chains.core_rpc import CoreChain
from wallets.chains.evm import EVMChain
from wallets.chains.protocol import Chain
from wallets.models import Payout
from wallets.scan import scan_chain
from wallets.send import send_due_attempts
from wallets.sign import sign_payouts

ASSETS = {"litecoin": "LTC", "ethereum": "ETH"}


@pytest.fixture
def keys(tmp_path: Path, settings: LazySettings) -> None:
    """Account keys of this test alone: the nodes live longer, addresses must not repeat."""
    root = HDKey.from_seed(secrets.token_bytes(32))
    accounts = {"litecoin": root.derive("m/84h/1h/0h"), "ethereum": root.derive("m/44h/60h/0h")}
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({c: {"account_private": k.to_base58(), "path": ""} for c, k in accounts.items()}))
    settings.KEY_FILE = str(path)
    settings.ACCOUNT_KEYS = {c: k.to_public().to_base58() for c, k in accounts.items()}
    settings.PAYOUT_JOURNAL = str(tmp_path / "payouts.journal")


@dataclass
class Exchange:
    """The site under test with its two nodes; `tick()` does what the timetable does, once."""

    litecoin: LitecoinNode
    ethereum: EthereumNode
    offset: timedelta = timedelta(0)
    urls: dict[str, str] = field(default_factory=dict)  # where the site finds a node, if not where it is

    def now(self) -> datetime:
        return clock.now() + self.offset

    def node_of(self, chain: str) -> LitecoinNode | EthereumNode:
        return self.litecoin if chain == "litecoin" else self.ethereum

    def client_of(self, chain: str) -> Chain:
        adapter: type[CoreChain | EVMChain] = CoreChain if chain == "litecoin" else EVMChain
        return adapter(chain, self.urls.get(chain, self.node_of(chain).url))

    def price(self, ltc: str = "80", eth: str = "2500") -> None:
        """Let the markets say what LTC and ETH cost in dollars, at this moment."""
        for market, value in (("LTC-USD", ltc), ("ETH-USD", eth)):
            MarketState.objects.update_or_create(
                market_id=market,
                defaults={
                    "bid": Decimal(value),
                    "ask": Decimal(value),
                    "sources": ["kraken", "coinbase", "bitstamp"],
                    "rate_at": self.now(),
                    "checked_at": self.now(),
                },
            )
        forget_all()

    def fund(self, chain: str, minor: int, times: int = 1) -> None:
        """Put coins into the house wallet and confirm them."""
        address = house_address(chain=chain, at=self.now()).address
        for _ in range(times):
            self.node_of(chain).send(address, minor)
        self.node_of(chain).mine(8)
        self.scan(chain)

    def scan(self, chain: str) -> None:
        while (report := scan_chain(node=self.client_of(chain), at=self.now(), known_mempool=set())).blocks:
            assert not report.problem
        assert not report.problem, report.problem

    def tick(self) -> None:
        for chain, asset in ASSETS.items():
            self.scan(chain)
            follow_deposits(chain=chain, at=self.now())
            request_payouts(asset=asset, at=self.now())
        for chain in ASSETS:
            sign_payouts(node=self.client_of(chain), at=self.now())
            send_due_attempts(node=self.client_of(chain), at=self.now())
            follow_payouts(chain=chain, at=self.now())
        expire_due_orders(at=self.now())
        escalate_overdue(at=self.now())
        offer_refunds(at=self.now())

    def mine(self, blocks: int = 1) -> None:
        self.litecoin.mine(blocks)
        self.ethereum.mine(blocks)

    def settle(self, rounds: int = 6) -> None:
        """Mine and tick until everything that can happen has happened."""
        for _ in range(rounds):
            self.mine(3)
            self.tick()

    def open(self, pair: str = "ETHLTC", send: str = "1", **options: Any) -> Opened:
        self.price()
        quote = make_quote(pair=pair, send=send, at=self.now())
        target = "ethereum" if pair == "ETHLTC" else "litecoin"
        options.setdefault("payout_address", self.node_of(target).new_address())
        return open_order(quote=read_quote(token=quote.token, at=self.now()), at=self.now(), **options)

    def pay(self, order: Order, minor: int | None = None) -> str:
        amount = order.send_minor if minor is None else minor
        return self.node_of(order.send_asset.network).send(order.deposit_address, amount)

    def reload(self, order: Order) -> Order:
        return Order.objects.select_related("send_asset", "get_asset").get(pk=order.pk)

    def payouts(self, order: Order) -> list[Payout]:
        return list(Payout.objects.filter(owner_ref=order.reference).order_by("pk"))

    def paid(self, order: Order) -> int:
        """Return what the customer's address holds on the chain, in minor units."""
        return self.node_of(order.get_asset.network).received(order.payout_address)

    def payments_to(self, chain: str, address: str) -> list[int]:
        """List every single payment to an address in the latest 150 blocks, as the node tells them."""
        node = self.client_of(chain)
        tip = node.tip().height
        blocks = [node.read_block(str(node.block_hash(height))) for height in range(max(tip - 150, 0), tip + 1)]
        return [m.minor for b in blocks for tx in b.txs for m in tx.movements if m.address == address]


@pytest.fixture
def exchange(
    committed_db: None, keys: None, litecoin_node: LitecoinNode, ethereum_node: EthereumNode
) -> Iterator[Exchange]:
    """A funded exchange. Afterwards the books must balance, whatever the test did."""
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


Waiter = Callable[[], None]
