"""What the API tests share: a house with coins and prices, and clients named after who they are."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from pytest_django import Settings
from redis import Redis

from core import clock, throttle
from core.models import Asset
from core.money import Money
from core.throttle import KEYS
from ledger.post import Leg, NewEntry, post_entry
from tests.beats import everything_works, give_coins
from ticker.models import MarketState
from wallets.models import ChainState

# Public keys of throw-away seeds: addresses can be derived, nothing can be spent.
ACCOUNT_KEYS = {
    "litecoin": (
        "tpubDDS8yc6txW2j1tkaD4yPJVFGrb7UjH8L4gQoZK7XuZ7RfxkBeyZf3BXE"
        "1YdsZVhedyAymhkmjSoYShQWNd3hpeMJYR4oERJT1cvdNQgYeeY"
    ),
    "ethereum": (
        "xpub6BibYVenvzVztqQpByVVt8pf31Kt2bk6XrEGvmAqLpc2tBTs1RQrSe15"
        "P6oMEaNZYdfKRRGwQpMVy617Q8K232iVSJatQE3veL4Hq1kCtjN"
    ),
}
ETH_ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
OTHER_ETH_ADDRESS = "0x8617E340B3D01FA5F11F306F4090FD50E238070D"


class API:
    """A client of version 1 that speaks JSON and reads numbers as Decimal."""

    def __init__(self, *, bearer: str = "", address: str = "203.0.113.7", prefix: str = "/en") -> None:
        self.client = Client(raise_request_exception=False)
        self.bearer, self.address, self.prefix = bearer, address, prefix

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send one request and return the answer with its JSON in `.body`."""
        if self.bearer:
            headers.setdefault("authorization", f"Bearer {self.bearer}")
        data = body if isinstance(body, str | bytes) else json.dumps(body) if body is not None else ""
        answer = self.client.generic(
            method,
            f"{self.prefix}/api/v1/{path}",
            data,
            content_type="application/json",
            headers=headers,
            REMOTE_ADDR=self.address,
        )
        text = getattr(answer, "content", b"")
        answer.body = json.loads(text, parse_float=Decimal) if text else None
        return answer

    def get(self, path: str, **headers: str) -> Any:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Any:
        return self.send("POST", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self.send("PATCH", path, body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Any:
        return self.send("PUT", path, body, **headers)


@pytest.fixture
def at() -> Iterator[datetime]:
    """An instant at which the clock stands still."""
    instant = clock.now().replace(microsecond=250_000)
    with clock.clock_reads(lambda: instant):
        yield instant


def forget_requests_here() -> None:
    """Forget what this process counted without Redis or ahead, and that Redis did not answer."""
    throttle._own.clear()
    throttle._ahead.clear()
    throttle._asks_again_at_ns = 0


def forget_requests() -> None:
    """Let everyone's minute begin anew."""
    forget_requests_here()
    client = Redis.from_url(settings.REDIS_URL)
    for key in client.scan_iter(f"{KEYS}:*"):
        client.delete(key)
    client.close()


@pytest.fixture(autouse=True)
def _fresh_counters() -> None:
    forget_requests()


def set_rate(base: str, *, bid: str, ask: str, at: datetime) -> None:
    """Let the dollar market of `base` stand at these prices."""
    MarketState.objects.update_or_create(
        market_id=f"{base}-USD",
        defaults={
            "checked_at": at,
            "code": "ok",
            "bid": Decimal(bid),
            "ask": Decimal(ask),
            "rate_at": at - timedelta(seconds=1),
            "sources": ["kraken", "coinbase", "bitstamp"],
        },
    )


@pytest.fixture
def house(db: None, settings: Settings, at: datetime) -> None:
    """Fresh prices, trusted chains, and 40 ETH and 500 LTC to give away."""
    settings.ACCOUNT_KEYS = ACCOUNT_KEYS
    set_rate("ETH", bid="2990", ask="3000", at=at)
    set_rate("LTC", bid="100", ask="100.5", at=at)
    everything_works()
    give_coins("litecoin", 500 * 10**8, pieces=8)
    for chain, coins in (("litecoin", ("LTC", 500)), ("ethereum", ("ETH", 40))):
        ChainState.objects.create(code=chain, identity="test", height=100, block_at=at, scan_started_at=at)
        asset = Asset.objects.get(pk=coins[0])
        amount = Money(coins[1] * 10**asset.scale, asset)
        post_entry(
            NewEntry(
                reference=f"fund:{chain}",
                reason="fund",
                occurred_at=at,
                legs=(Leg("chain:spendable", amount), Leg("capital", -amount)),
            )
        )


@pytest.fixture
def anyone() -> API:
    """A caller without a token."""
    return API()


@pytest.fixture
def open_order(house: None) -> Callable[..., Any]:
    """Return a function that opens an order over the API, to send 10 LTC and receive ETH, and returns the answer's body."""

    def _open(api: API | None = None, **changes: Any) -> Any:
        body = {
            "amount_base": 0,
            "amount_quote": 10,
            "is_default_rule": True,
            "pair": {"name": "ETHLTC"},
            "withdraw_address": {"address": ETH_ADDRESS},
        }
        answer = (api or API()).post("orders/", body | changes)
        assert answer.status_code == 201, answer.body
        return answer.body

    return _open
