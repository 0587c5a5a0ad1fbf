"""An order that is credited and waits for its payout, as rows, with keys to sign it: for one rule of the signer at a time."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings

from core.clock import clock_reads
from orders.payout import request_payouts
from tests.orders.conftest import NOW, stock_the_site
from tests.orders.rows import follow, open_one, pay
from tests.plugin_exchange import make_keys
from wallets.models import ChainState, Payout

Want = Callable[..., Payout]


@pytest.fixture
def want(db: None, tmp_path: Path, settings: LazySettings) -> Iterator[Want]:
    """Return what asks for a payout on a chain, against one deposit that is just deep enough; the clock stands at NOW."""
    make_keys(tmp_path, settings, b"\x05" * 32)
    settings.CEILINGS = dict.fromkeys(
        ("litecoin", "ethereum"), dict.fromkeys(("payout", "hour", "day", "funded_hour"), "1000")
    )
    stock_the_site()
    ChainState.objects.filter(code="ethereum").update(identity="31337:0xfirst")

    def ask(chain: str = "ethereum") -> Payout:
        pair, asset, send, position, height = (
            ("ETHLTC", "ETH", "2", "0", 9) if chain == "ethereum" else ("LTCETH", "LTC", "0.05", "native", 8)
        )
        order = open_one(pair=pair, send=send)
        follow(pay(order, block_height=height, position=position))
        assert request_payouts(asset=asset, at=NOW) == 1
        return Payout.objects.select_related("asset").latest("pk")

    with clock_reads(lambda: NOW):
        yield ask
