"""The payment request of an order: what its QR code holds. One of Ethereum says which chain (FAULTS 27)."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.assets import get_asset
from core.money import Money
from core.snapshot import forget_all
from orders.open import open_order
from orders.quotes import make_quote
from orders.reads import build_view, view_of_new
from tests.orders.conftest import NOW
from wallets.chains.uri import payment_uri
from wallets.models import ChainState

pytestmark = pytest.mark.usefixtures("site")

ETH_ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # from EIP-55
LTC_ADDRESS = "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3"


@pytest.mark.parametrize(
    ("identity", "chain"), [(f"31337:0x{'ab' * 32}", "@31337"), (f"1:0x{'ab' * 32}", "@1"), ("", ""), ("odd", "")]
)
def test_a_request_of_ether_says_on_which_chain(identity: str, chain: str) -> None:
    quote = make_quote(pair="LTCETH", send="0.1", at=NOW)
    order = open_order(quote=quote, payout_address=LTC_ADDRESS, at=NOW).order

    ChainState.objects.filter(code="ethereum").update(identity=identity)
    forget_all()

    expected = f"ethereum:{order.deposit_address}{chain}?value={order.send_minor}"
    assert view_of_new(order).payment_uri == expected
    with CaptureQueriesContext(connection) as asked:
        assert build_view(order, at=NOW + timedelta(seconds=1), is_owner=True).payment_uri == expected
    assert not [query for query in asked if "chainstate" in query["sql"] and "identity" in query["sql"]]  # kept


def test_a_request_of_litecoin_is_as_it_was() -> None:
    quote = make_quote(pair="ETHLTC", send="2", at=NOW)

    order = open_order(quote=quote, payout_address=ETH_ADDRESS, at=NOW).order

    assert view_of_new(order).payment_uri == f"litecoin:{order.deposit_address}?amount=2"


def test_the_amount_is_in_the_smallest_unit_of_ether() -> None:
    one = Money(10**18 + 1, get_asset("ETH"))

    assert (
        payment_uri("ethereum", ETH_ADDRESS, one, chain_id=1) == f"ethereum:{ETH_ADDRESS}@1?value=1000000000000000001"
    )
