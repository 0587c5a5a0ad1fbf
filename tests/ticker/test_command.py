from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from core.clock import clock_reads
from tests.adapters.market_replay import VENUES


def run_command(exchange):
    out = StringIO()
    with clock_reads(lambda: exchange.at):
        try:
            call_command("ticker", wait=0, stdout=out, stderr=StringIO())
        except CommandError as error:
            return out.getvalue(), str(error)
    return out.getvalue(), None


def line(text, *words):
    (found,) = [row for row in text.splitlines() if row.split()[: len(words)] == list(words)]
    return found


def test_shows_what_each_source_said_and_why_it_counts_or_not(exchange):
    exchange.set("coinbase", LTC=("845", "845.1"))

    text, error = run_command(exchange)

    assert error is None
    assert "84.5" in line(text, "LTC-USD", "kraken")
    assert "counts" in line(text, "LTC-USD", "kraken")
    assert "outlier" in line(text, "LTC-USD", "coinbase")
    assert "bps off the median" in line(text, "LTC-USD", "coinbase")
    assert "USDT" in line(text, "LTC-USD", "binance")
    assert "binance, bitstamp, kraken" in text
    assert "GENERATED" not in text


def test_fails_when_no_market_has_a_rate(exchange, settings):
    settings.TICKER_BASE_URLS = dict.fromkeys(VENUES, "http://127.0.0.1:9")

    text, error = run_command(exchange)

    assert error == "no market has a rate"
    assert "unreachable" in line(text, "LTC-USD", "kraken")


def test_says_so_when_prices_are_generated(exchange, settings):
    settings.TICKER_MARKET = "demo"

    text, error = run_command(exchange)

    assert error is None
    assert "GENERATED (demo)" in text


def test_says_so_when_another_round_is_running(exchange):
    exchange.run()

    with clock_reads(lambda: exchange.at), pytest.raises(CommandError, match="other rounds were running"):
        call_command("ticker", wait=0, stdout=StringIO(), stderr=StringIO())
