"""A funded site without nodes: prices, reserves and scanned chains as rows, so that orders can be opened."""

import secrets
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.conf import LazySettings
from django.db import transaction
from embit.bip32 import HDKey

from core.assets import get_asset
from core.money import Money
from core.snapshot import forget_all
from ledger.post import Leg, NewEntry, post_entry
from tests.beats import everything_works, give_coins
from ticker.models import MarketState
from wallets.models import ChainState

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def stock_the_site(*, ltc: int = 10_000 * 10**8, eth: int = 1_000 * 10**18) -> None:
    """Write fresh rates, two healthy chains and reserves, as of NOW."""
    for market, price in (("LTC-USD", "80"), ("ETH-USD", "2500")):
        MarketState.objects.update_or_create(
            market_id=market,
            defaults={
                "bid": Decimal(price),
                "ask": Decimal(price),
                "sources": ["a"],
                "rate_at": NOW,
                "checked_at": NOW,
            },
        )
    for code in ("litecoin", "ethereum"):
        ChainState.objects.update_or_create(
            code=code, defaults={"identity": code, "height": 10, "scan_started_at": NOW, "fee_rate_minor": 0}
        )
    everything_works()
    give_coins("litecoin", ltc, pieces=8)
    with transaction.atomic():
        for code, minor in (("LTC", ltc), ("ETH", eth)):
            amount = Money(minor, get_asset(code))
            legs = (Leg("chain:spendable", amount), Leg("capital", -amount))
            post_entry(NewEntry(f"stock:{code}:{secrets.token_hex(4)}", "capital", NOW, legs))
    forget_all()


@pytest.fixture
def account_keys(settings: LazySettings) -> None:
    root = HDKey.from_seed(secrets.token_bytes(32))
    settings.ACCOUNT_KEYS = {
        "litecoin": root.derive("m/84h/1h/0h").to_public().to_base58(),
        "ethereum": root.derive("m/44h/60h/0h").to_public().to_base58(),
    }


@pytest.fixture
def site(db: None, account_keys: None) -> None:
    stock_the_site()


@pytest.fixture
def committed_site(committed_db: None, account_keys: None) -> None:
    stock_the_site()
