"""A stocked site at a fixed instant, and people with browsers: alice opens orders, bob is somebody else."""

from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from core import clock
from orders.models import Order
from orders.quotes import make_quote
from tests.orders.conftest import NOW, account_keys, stock_the_site

__all__ = ["account_keys"]

ETH_ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # from EIP-55
LTC_ADDRESS = "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3"


@pytest.fixture
def site(db: None, account_keys: None) -> Iterator[None]:
    stock_the_site()
    with clock.clock_reads(lambda: NOW):
        yield


@pytest.fixture
def alice() -> Client:
    return Client()


@pytest.fixture
def bob() -> Client:
    return Client()


def form_of(send: str = "2", **changes: str) -> dict[str, str]:
    """Return what a browser posts when somebody accepts the price on the page."""
    quote = make_quote(pair="ETHLTC", send=send, at=NOW)
    return {
        "pair": "ETHLTC",
        "side": "send",
        "send": quote.send.format(),
        "get": quote.get.format(),
        "quote": quote.token,
        "payout_address": ETH_ADDRESS,
        "refund_address": "",
    } | changes


@pytest.fixture
def open_page(site: None) -> Callable[..., Order]:
    """Return a function that opens an order in somebody's browser."""

    def _open(browser: Client, **changes: str) -> Order:
        answer = browser.post("/en/order/", form_of(**changes))
        assert answer.status_code == 302, answer.content.decode()
        return Order.objects.get(reference=answer["Location"].split("/")[-2])

    return _open
