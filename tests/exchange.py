"""A whole exchange driven tick by tick in this process, on any pair of chains that a test can mine."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from core import clock
from core.snapshot import forget_all
from orders.choices import carry_out_choices
from orders.credit import follow_deposits
from orders.expire import escalate_overdue, expire_due_orders, offer_refunds
from orders.models import Order
from orders.open import Opened, open_order
from orders.payout import follow_payouts, request_payouts
from orders.promises import lapse_promises
from orders.quotes import make_quote, read_quote
from tests.beats import everything_works
from ticker.models import MarketState
from wallets.addresses import house_address
from wallets.chains.protocol import Chain
from wallets.chains.registry import open_chain
from wallets.models import Payout
from wallets.paying.again import follow_dead_ends
from wallets.scan import scan_chain
from wallets.send import send_due_attempts
from wallets.sign import sign_payouts

ASSETS = {"litecoin": "LTC", "ethereum": "ETH"}


@dataclass
class Exchange:
    """The site under test with its two chains; `tick()` does what the timetable does, once.

    A chain is whatever a test can mine: a node of tests.nodes or tests.simulated.SimulatedNode, which can do the same.
    """

    litecoin: Any
    ethereum: Any
    offset: timedelta = timedelta(0)
    urls: dict[str, str] = field(default_factory=dict)  # where the site finds a node, if not where it is

    def now(self) -> datetime:
        return clock.now() + self.offset

    def node_of(self, chain: str) -> Any:
        return self.litecoin if chain == "litecoin" else self.ethereum

    def client_of(self, chain: str) -> Chain:
        return open_chain(chain, self.urls.get(chain, self.node_of(chain).url))

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
        everything_works()
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
            carry_out_choices(chain=chain, at=self.now())
            request_payouts(asset=asset, at=self.now())
        for chain in ASSETS:
            follow_dead_ends(node=self.client_of(chain), at=self.now())
            sign_payouts(node=self.client_of(chain), at=self.now())
            send_due_attempts(node=self.client_of(chain), at=self.now())
            follow_payouts(chain=chain, at=self.now())
        lapse_promises(at=self.now())
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
