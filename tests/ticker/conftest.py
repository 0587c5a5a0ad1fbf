"""The cast of the price tests: four venues on loopback that agree."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.adapters.market_replay import RECORDED_AT, MarketReplay, run_replay
from ticker.models import MarketState, Observation
from ticker.record import RoundReport, record_round

HONEST = {
    "USDT-USD": ("1.0001", "1.0002"),
    "BTC-USD": ("87250.00", "87251.00"),
    "ETH-USD": ("2950.00", "2951.00"),
    "LTC-USD": ("84.50", "84.52"),
}


class Exchange:
    """Four venues and the site's rounds ten seconds apart: `run()` is one round."""

    def __init__(self, replay: MarketReplay) -> None:
        self.replay = replay
        self.at: datetime = RECORDED_AT
        self.set()

    def set(self, *venues: str, **prices: tuple[str, str]) -> None:
        """Let all venues (or those named) quote honest prices, with these instead: set("kraken", LTC=("1", "2"))."""
        changed = HONEST | {f"{base}-USD": price for base, price in prices.items()}
        self.replay.set_prices(changed, **({"venues": venues} if venues else {}))

    def run(self, *, after_s: int = 10, frozen: tuple[str, ...] = ()) -> RoundReport:
        """Run the next round; the data of all venues but the `frozen` ones is a second old."""
        self.at += timedelta(seconds=after_s)
        if frozen:
            assert set(frozen) == {"kraken"}, "the other venues freeze through replay.at"
            self.replay.at = self.at - timedelta(seconds=1)
        else:
            self.replay.tick(self.at - timedelta(seconds=1))
        report = record_round(at=self.at)
        assert report is not None
        return report

    def verdict(self, source: str, market: str = "LTC-USD") -> str:
        return self.observation(source, market).verdict

    def observation(self, source: str, market: str = "LTC-USD") -> Observation:
        return Observation.objects.filter(source=source, market=market).latest("round__at")

    def state(self, market: str = "LTC-USD") -> MarketState:
        return MarketState.objects.get(market=market)


@pytest.fixture
def exchange(db: None, settings: Any) -> Iterator[Exchange]:
    with _open_exchange(settings) as opened:
        yield opened


@pytest.fixture
def committed_exchange(committed_db: None, settings: Any) -> Iterator[Exchange]:
    """The same with real commits, for threads that race."""
    with _open_exchange(settings) as opened:
        yield opened


@contextmanager
def _open_exchange(settings: Any) -> Iterator[Exchange]:
    with run_replay() as replay:
        settings.TICKER_BASE_URLS = replay.urls()
        settings.TICKER_MARKET, settings.SITE_MODE = "live", "demo"
        yield Exchange(replay)
