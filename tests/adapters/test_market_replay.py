"""Every price venue against answers in its published shape, and against everything a venue can do wrong."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.adapters.market_replay import RECORDED, VENUES, MarketReplay, recorded, run_replay
from ticker.sources import protocol
from ticker.sources.protocol import Answer, Listing, SourceError, SourceQuote
from ticker.sources.registry import ask_all, open_source

LISTINGS = {
    "kraken": Listing("LTC-USD", "XLTCZUSD", "USD"),
    "coinbase": Listing("LTC-USD", "LTC-USD", "USD"),
    "bitstamp": Listing("LTC-USD", "ltcusd", "USD"),
    "binance": Listing("LTC-USD", "LTCUSDT", "USDT"),
}
FILES = {
    "kraken": "kraken_ticker.json",
    "coinbase": "coinbase_ticker.json",
    "bitstamp": "bitstamp_ticker.json",
    "binance": "binance_24hr.json",
}
every_venue = pytest.mark.parametrize("venue", VENUES)


@pytest.fixture
def replay() -> Iterator[MarketReplay]:
    with run_replay() as served:
        for venue, name in FILES.items():
            served.bodies[venue] = (RECORDED / name).read_bytes()
        yield served


def fetch(replay: MarketReplay, venue: str, *listings: Listing) -> list[Answer]:
    return open_source(venue, replay.urls()[venue]).fetch(listings or [LISTINGS[venue]])


def quote_of(replay: MarketReplay, venue: str) -> SourceQuote:
    (answer,) = fetch(replay, venue)
    assert isinstance(answer, SourceQuote), answer
    return answer


def error_of(replay: MarketReplay, venue: str) -> SourceError:
    (answer,) = fetch(replay, venue)
    assert isinstance(answer, SourceError), answer
    return answer


def change(venue: str, side: str, value: Any) -> bytes:
    """Return the venue's recorded answer with another bid or ask (or without it, for None)."""
    answer = recorded(FILES[venue])
    key = {"kraken": side[0], "binance": f"{side}Price"}.get(venue, side)
    place = answer["result"]["XLTCZUSD"] if venue == "kraken" else answer
    if value is None:
        del place[key]
    else:
        place[key] = [value, "1", "1.000"] if venue == "kraken" else value
    return json.dumps(answer).encode()


@pytest.mark.parametrize(
    ("venue", "bid", "ask", "venue_at", "path"),
    [
        ("kraken", "84.50000", "84.53000", None, "/kraken/0/public/Ticker?pair=XLTCZUSD"),
        (
            "coinbase",
            "84.51",
            "84.54",
            datetime(2026, 11, 23, 3, 0, 5, 270099, tzinfo=UTC),
            "/coinbase/products/LTC-USD/ticker",
        ),
        ("bitstamp", "84.49", "84.55", datetime(2026, 11, 23, 3, 0, 5, tzinfo=UTC), "/bitstamp/api/v2/ticker/ltcusd/"),
        (
            "binance",
            "84.50000000",
            "84.51000000",
            datetime(2026, 11, 23, 3, 0, 5, 13000, tzinfo=UTC),
            "/binance/api/v3/ticker/24hr?symbol=LTCUSDT",
        ),
    ],
)
def test_reads_bid_ask_and_time_of_the_published_shape(replay, venue, bid, ask, venue_at, path):
    quote = quote_of(replay, venue)

    assert (quote.bid, quote.ask, quote.venue_at) == (Decimal(bid), Decimal(ask), venue_at)
    assert (quote.market, quote.quote) == ("LTC-USD", LISTINGS[venue].quote)
    assert replay.requests == [path]


def test_kraken_is_asked_for_all_markets_at_once(replay):
    ether = Listing("ETH-USD", "XETHZUSD", "USD")

    answers = fetch(replay, "kraken", LISTINGS["kraken"], ether)

    assert [answer.bid for answer in answers] == [Decimal("84.50000"), Decimal("2950.70000")]
    assert replay.requests == ["/kraken/0/public/Ticker?pair=XLTCZUSD%2CXETHZUSD"]


def test_kraken_gives_a_fingerprint_that_changes_with_the_answer(replay):
    first, same = quote_of(replay, "kraken").fingerprint, quote_of(replay, "kraken").fingerprint
    replay.bodies["kraken"] = replay.bodies["kraken"].replace(b"8121.90015510", b"8122.90015510")

    assert first == same != ""
    assert quote_of(replay, "kraken").fingerprint != first


@every_venue
@pytest.mark.parametrize(
    ("status", "code", "whole"),
    [
        (500, "http_error", True),
        (503, "http_error", True),
        (429, "rate_limited", True),
        (418, "rate_limited", True),
        (451, "http_error", True),
        (404, "http_error", False),
        (302, "http_error", False),
    ],
)
def test_names_an_error_status(replay, venue, status, code, whole):
    replay.statuses[venue] = status

    error = error_of(replay, venue)

    assert (error.code, error.whole) == (code, whole)


@every_venue
def test_a_good_price_under_an_error_status_is_not_used(replay, venue):
    assert quote_of(replay, venue)

    replay.statuses[venue] = 500

    assert error_of(replay, venue).code == "http_error"


def test_kraken_tells_errors_inside_a_good_status(replay):
    replay.bodies["kraken"] = (RECORDED / "kraken_unknown_pair.json").read_bytes()
    unknown = error_of(replay, "kraken")
    replay.bodies["kraken"] = b'{"error": ["EAPI:Rate limit exceeded"]}'
    limited = error_of(replay, "kraken")

    assert (unknown.code, limited.code) == ("unknown_pair", "rate_limited")
    assert "Unknown asset pair" in unknown.reason


@pytest.mark.parametrize(
    ("venue", "name", "status"), [("coinbase", "coinbase_not_found.json", 404), ("binance", "binance_error.json", 400)]
)
def test_one_unknown_market_does_not_cost_the_others(replay, venue, name, status):
    bad, good = Listing("XYZ-USD", "XYZ", "USD"), LISTINGS[venue]
    bodies = {True: (RECORDED / name).read_bytes(), False: replay.bodies[venue]}
    plain = replay.answer
    replay.answer = lambda path: (plain(path), (status, bodies[True]) if "XYZ" in path else (200, bodies[False]))[1]

    answers = fetch(replay, venue, bad, good)

    assert isinstance(answers[0], SourceError)
    assert isinstance(answers[1], SourceQuote)


@every_venue
@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (b"", {"not_json"}),
        (b"<html><h1>Checking your browser</h1></html>", {"not_json"}),
        (b"[]", {"wrong_shape"}),
        (b"null", {"wrong_shape"}),
        (b"{}", {"missing_field"}),
        (b'{"bid": NaN}', {"not_json"}),
        (b'{"bid": "84.5", "ask": ', {"not_json"}),
        (b"[" * 50_000, {"not_json"}),
        (b"\xff\xfe\x00", {"not_json"}),
    ],
    ids=["empty", "html", "list", "null", "no keys", "NaN", "cut", "deep", "not text"],
)
def test_refuses_what_is_not_the_published_shape(replay, venue, body, codes):
    replay.bodies[venue] = body

    assert error_of(replay, venue).code in codes


@every_venue
@pytest.mark.parametrize("side", ["bid", "ask"])
def test_refuses_an_answer_without_one_side(replay, venue, side):
    replay.bodies[venue] = change(venue, side, None)

    assert error_of(replay, venue).code == "missing_field"


@every_venue
@pytest.mark.parametrize(
    "nonsense", ["", "abc", "NaN", "Infinity", "1e400", "٨٤", "84,5", "0x54", " 84.5", [], {}, True, "9" * 60]
)
def test_refuses_a_price_that_is_no_number(replay, venue, nonsense):
    replay.bodies[venue] = change(venue, "bid", nonsense)

    assert error_of(replay, venue).code == "not_a_price"


@every_venue
@pytest.mark.parametrize("number", ["0", "-84.5", "845.0", "0.00000001"])
def test_passes_zero_negative_and_absurd_prices_on_to_be_judged(replay, venue, number):
    replay.bodies[venue] = change(venue, "bid", number)

    assert quote_of(replay, venue).bid == Decimal(number)


@every_venue
def test_refuses_a_json_number_beyond_all_reason(replay, venue):
    replay.bodies[venue] = change(venue, "bid", "PLACE").replace(b'"PLACE"', b"1e400")

    assert error_of(replay, venue).code == "not_a_price"


@every_venue
def test_reads_json_numbers_exactly(replay, venue):
    body = change(venue, "bid", "PLACE").replace(b'"PLACE"', b"84.100000000000000001")
    replay.bodies[venue] = body

    assert quote_of(replay, venue).bid == Decimal("84.100000000000000001")


@pytest.mark.parametrize(("venue", "key"), [("coinbase", "time"), ("bitstamp", "timestamp"), ("binance", "closeTime")])
@pytest.mark.parametrize("stamp", ["yesterday", "-5", "", "9" * 30, True, 15, [], "2026-11-23T03:00:05"])
def test_refuses_a_time_that_is_none(replay, venue, key, stamp):
    if stamp == 15 and venue != "coinbase":
        stamp = "15.5"
    replay.bodies[venue] = json.dumps(recorded(FILES[venue]) | {key: stamp}).encode()

    assert error_of(replay, venue).code == "not_a_time"


def test_binance_refuses_the_answer_for_another_symbol(replay):
    replay.bodies["binance"] = json.dumps(recorded("binance_24hr.json") | {"symbol": "BTCUSDT"}).encode()

    assert error_of(replay, "binance").code == "wrong_symbol"


@every_venue
def test_stops_reading_a_huge_answer(replay, venue):
    replay.bodies[venue] = b'{"padding": "' + b"x" * (protocol.MAX_ANSWER_BYTES + 1) + b'"}'

    assert error_of(replay, venue).code == "too_large"


@every_venue
def test_names_a_time_out(replay, venue, monkeypatch):
    impatient = protocol.HTTPClient(timeout_s=(1, 1))
    monkeypatch.setattr(f"ticker.sources.{venue}.open_client", lambda: impatient)
    replay.delays_s[venue] = 2

    error = error_of(replay, venue)

    assert (error.code, error.whole) == ("timeout", True)


@every_venue
def test_names_a_closed_port(replay, venue):
    (answer,) = open_source(venue, "http://127.0.0.1:9").fetch([LISTINGS[venue]])

    assert isinstance(answer, SourceError)
    assert (answer.code, answer.whole) == ("unreachable", True)


def test_a_venue_that_fails_as_a_whole_is_not_asked_for_the_rest(replay):
    replay.statuses["coinbase"] = 503

    answers = fetch(replay, "coinbase", LISTINGS["coinbase"], Listing("ETH-USD", "ETH-USD", "USD"))

    assert [answer.code for answer in answers] == ["http_error", "http_error"]
    assert len(replay.requests) == 1


def test_a_slow_venue_does_not_hold_up_the_others(replay):
    replay.delays_s["bitstamp"] = 3
    questions = [(open_source(venue, url), [LISTINGS[venue]]) for venue, url in replay.urls().items()]

    answers = ask_all(questions, bound_s=1)

    late = answers.pop("bitstamp")[0]
    assert isinstance(late, SourceError)
    assert late.code == "timeout"
    assert all(isinstance(answer, SourceQuote) for (answer,) in answers.values())


def test_a_bug_in_one_venues_module_does_not_cost_the_others_their_round(replay, monkeypatch):
    monkeypatch.setattr("ticker.sources.coinbase.read_iso", lambda _: 1 // 0)
    questions = [(open_source(venue, url), [LISTINGS[venue]]) for venue, url in replay.urls().items()]

    answers = ask_all(questions, bound_s=5)

    assert answers["coinbase"][0].code == "source_broken"
    assert isinstance(answers["kraken"][0], SourceQuote)
