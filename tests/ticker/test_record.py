from datetime import timedelta
from decimal import Decimal

import pytest

from tests.adapters.market_replay import RECORDED, VENUES
from ticker.models import Listing, MarketRate, MarketState, Observation, Round, SourceState
from ticker.rates import RateUnavailable, get_rate
from ticker.record import record_round
from ticker.sources import kraken


def reason_code(exchange, base="ETH", quote="LTC", after_s=0):
    with pytest.raises(RateUnavailable) as refused:
        get_rate(base=base, quote=quote, at=exchange.at + timedelta(seconds=after_s))
    return refused.value.context["reason_code"]


def test_four_agreeing_venues_make_a_rate(exchange):
    report = exchange.run()

    state = exchange.state()
    assert (report.rated, report.generated) == (4, False)
    assert state.sources == ["binance", "bitstamp", "coinbase", "kraken"]
    assert Decimal("84.50") <= state.bid <= state.ask <= Decimal("84.54")
    assert {exchange.verdict(venue) for venue in VENUES} == {"ok"}


def test_the_rate_is_as_old_as_its_oldest_datum(exchange):
    exchange.run()

    assert exchange.state().rate_at == exchange.at - timedelta(seconds=1)


def test_binance_is_converted_by_the_median_of_usdt_itself(exchange):
    exchange.set("binance", LTC=("80.00", "80.10"))
    exchange.set("kraken", "coinbase", "bitstamp", LTC=("84.00", "84.10"), USDT=("1.05", "1.05"))

    exchange.run()

    # 80.00 x 1.05 = 84.00: agrees only when converted; unconverted it would be five percent off.
    assert exchange.verdict("binance") == "ok"
    assert exchange.state("LTC-USD").bid == Decimal("84.00")


def test_a_converted_rate_is_as_old_as_the_rate_that_converts_it(exchange):
    exchange.run()
    usdt_at = exchange.state("USDT-USD").rate_at
    exchange.set(USDT=("0", "0"))

    exchange.run()

    assert exchange.verdict("binance") == "ok"
    assert exchange.state("LTC-USD").rate_at == usdt_at


def test_a_venues_clock_running_ahead_makes_no_rate_younger_than_its_round(exchange):
    exchange.at += timedelta(seconds=10)
    exchange.replay.tick(exchange.at + timedelta(seconds=9))
    exchange.set("kraken", LTC=("0", "0"))

    assert record_round(at=exchange.at)

    assert exchange.verdict("bitstamp") == "ok"
    assert exchange.state().rate_at == exchange.at


def test_without_a_rate_of_usdt_binance_does_not_count(exchange):
    exchange.set("kraken", USDT=("1.00", "1.00"))
    exchange.set("coinbase", USDT=("1.20", "1.20"))
    exchange.set("bitstamp", USDT=("1.40", "1.40"))

    exchange.run()

    assert exchange.verdict("binance") == "no_conversion"
    assert exchange.state("LTC-USD").sources == ["bitstamp", "coinbase", "kraken"]
    assert reason_code(exchange, base="USDT", quote="USD") == "no_rate"


def test_a_paused_usdt_converts_nothing(exchange):
    exchange.run()
    exchange.set(USDT=("1.20", "1.20"))

    exchange.run()

    assert exchange.state("USDT-USD").code == "paused"
    assert exchange.verdict("binance") == "no_conversion"


def test_a_rate_of_usdt_past_its_minute_converts_nothing(exchange):
    exchange.run()
    exchange.set(USDT=("0", "0"))

    exchange.run(after_s=50)
    assert exchange.verdict("binance") == "ok"
    exchange.run()
    assert exchange.verdict("binance") == "no_conversion"


@pytest.mark.parametrize(
    ("price", "verdict"),
    [
        (("0", "84.52"), "not_positive"),
        (("-84.50", "84.52"), "not_positive"),
        (("0", "0"), "not_positive"),
        (("845.00", "845.20"), "outlier"),
        (("8.45", "8.452"), "outlier"),
        (("84.52", "84.50"), "crossed"),
        (("84.00", "85.00"), "spread"),
        (("123456789012345678", "123456789012345678"), "out_of_bounds"),
        (("nonsense", "84.52"), "not_a_price"),
        (("NaN", "84.52"), "not_a_price"),
    ],
)
def test_one_wrong_venue_is_left_out_and_says_why(exchange, price, verdict):
    exchange.set("coinbase", LTC=price)

    exchange.run()

    assert exchange.verdict("coinbase") == verdict
    assert exchange.observation("coinbase").reason
    assert exchange.state().sources == ["binance", "bitstamp", "kraken"]
    assert exchange.state().code == "ok"


def test_two_wrong_venues_leave_no_rate(exchange):
    exchange.set("coinbase", "kraken", LTC=("0", "0"))

    report = exchange.run()

    assert (exchange.state().code, exchange.state().bid) == ("too_few_sources", None)
    assert report.rated == 3
    assert reason_code(exchange) == "no_rate"


def test_without_new_data_the_latest_rate_ends_with_its_minute(exchange):
    exchange.run()
    rate = get_rate(base="LTC", quote="USD", at=exchange.at)
    for venue in VENUES:
        exchange.replay.statuses[venue] = 500

    exchange.run()

    assert get_rate(base="LTC", quote="USD", at=exchange.at).at == rate.at
    assert get_rate(base="LTC", quote="USD", at=rate.at + timedelta(seconds=60)) == rate
    late_s = (rate.at - exchange.at).total_seconds() + 60
    assert reason_code(exchange, after_s=int(late_s) + 1) == "stale"


def test_a_venue_whose_clock_stands_still_is_stale_after_a_minute(exchange):
    exchange.run()
    plain = exchange.replay._coinbase
    stopped = exchange.replay.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    exchange.replay._coinbase = lambda rest, query: plain(rest, query) | {"time": stopped}

    verdicts = []
    for _ in range(7):
        exchange.run()
        verdicts.append(exchange.verdict("coinbase"))

    assert verdicts == ["ok"] * 5 + ["stale"] * 2


def test_a_venue_without_a_clock_whose_data_stands_still_is_frozen_after_a_minute(exchange):
    exchange.run()

    verdicts = []
    for _ in range(7):
        exchange.run(frozen=("kraken",))
        verdicts.append(exchange.verdict("kraken"))

    assert verdicts == ["ok"] * 6 + ["frozen"]
    exchange.run()
    assert exchange.verdict("kraken") == "ok"


def test_a_frozen_venue_stays_frozen_when_no_round_ran_for_an_hour(exchange):
    exchange.run()

    exchange.run(after_s=3600, frozen=("kraken",))

    assert exchange.verdict("kraken") == "frozen"


def test_a_venue_ahead_of_our_clock_does_not_count(exchange):
    plain = exchange.replay._bitstamp
    exchange.replay._bitstamp = lambda rest, query: plain(rest, query) | {"timestamp": "4102444800"}

    exchange.run()

    assert exchange.verdict("bitstamp") == "future"


def test_a_jump_of_all_venues_pauses_at_once_and_resumes_after_three_agreeing_rounds(exchange):
    exchange.run()
    exchange.set(LTC=("845.00", "845.20"))

    exchange.run()
    assert reason_code(exchange) == "paused"
    assert {exchange.verdict(venue) for venue in VENUES} == {"ok"}
    exchange.run()
    assert reason_code(exchange) == "paused"
    exchange.run()

    assert exchange.state().paused_at is None
    assert get_rate(base="LTC", quote="USD", at=exchange.at).bid == Decimal("845.00")


def test_a_pause_of_one_market_leaves_the_others(exchange):
    exchange.run()
    exchange.set(LTC=("845.00", "845.20"))

    exchange.run()

    assert get_rate(base="ETH", quote="USD", at=exchange.at).bid > 0


def test_a_failing_venue_is_asked_ever_more_rarely_and_forgiven_at_once(exchange):
    exchange.replay.statuses["kraken"] = 500
    asked = []
    for _ in range(16):
        exchange.replay.requests.clear()
        exchange.run()
        asked.append(any(path.startswith("/kraken") for path in exchange.replay.requests))

    # After 10, 20, 40 and 80 seconds; rounds come every ten.
    assert [count for count, was_asked in enumerate(asked) if was_asked] == [0, 1, 3, 7, 15]
    assert exchange.state().code == "ok"

    exchange.replay.statuses.clear()
    exchange.run(after_s=200)
    assert SourceState.objects.get(source="kraken").failures == 0
    assert exchange.verdict("kraken") == "ok"


def test_back_off_has_an_end(exchange, settings):
    SourceState.objects.create(source="kraken", failures=900)
    exchange.replay.statuses["kraken"] = 500

    exchange.run()

    longest = timedelta(seconds=settings.TICKER_ROUND["backoff_max_s"])
    assert SourceState.objects.get(source="kraken").next_try_at == exchange.at + longest


def test_a_resting_venue_is_shown_as_such(exchange):
    exchange.replay.statuses["kraken"] = 500
    exchange.run()
    exchange.run()

    exchange.run()

    assert exchange.verdict("kraken") == "backing_off"


def test_an_error_inside_krakens_good_status_counts_as_failure(exchange):
    exchange.replay.bodies["kraken"] = (RECORDED / "kraken_unknown_pair.json").read_bytes()

    exchange.run()

    assert exchange.verdict("kraken") == "unknown_pair"
    assert SourceState.objects.get(source="kraken").failures == 1


def test_a_second_round_a_moment_later_does_nothing(exchange):
    exchange.run()
    exchange.replay.requests.clear()
    before = Observation.objects.count()

    assert record_round(at=exchange.at + timedelta(seconds=2)) is None
    assert record_round(at=exchange.at - timedelta(seconds=2)) is None

    assert exchange.replay.requests == []
    assert (Observation.objects.count(), Round.objects.count()) == (before, 1)


def test_a_slow_round_that_was_overtaken_changes_nothing(exchange, monkeypatch):
    from ticker import record

    ask_venues = record._ask_venues

    def ask_while_another_round_finishes(at):
        found = ask_venues(at)
        monkeypatch.setattr(record, "_ask_venues", ask_venues)
        assert record_round(at=at + timedelta(seconds=6)) is not None
        exchange.set(LTC=("70.00", "70.10"))
        return found

    monkeypatch.setattr(record, "_ask_venues", ask_while_another_round_finishes)

    assert record_round(at=exchange.at) is None
    assert exchange.state().checked_at == exchange.at + timedelta(seconds=6)
    assert Round.objects.filter(finished_at=None).count() == 1


def test_every_good_round_becomes_history(exchange):
    exchange.run()
    exchange.set(LTC=("0", "0"))
    exchange.run()

    assert MarketRate.objects.filter(market="LTC-USD").count() == 1
    assert MarketRate.objects.filter(market="ETH-USD").count() == 2


# --- The generated market ---------------------------------------------------------------------------------------------


def test_auto_generates_prices_where_no_venue_answers(exchange, settings):
    settings.TICKER_MARKET = "auto"
    settings.TICKER_BASE_URLS = dict.fromkeys(VENUES, "http://127.0.0.1:9")

    report = exchange.run()

    assert (report.generated, report.rated) == (True, 4)
    assert exchange.state().sources == ["demo"]
    assert exchange.verdict("kraken") == "unreachable"
    assert get_rate(base="ETH", quote="LTC", at=exchange.at).sources == ("demo",)


def test_auto_keeps_a_live_rate_until_it_ends(exchange, settings):
    settings.TICKER_MARKET = "auto"
    exchange.run()
    settings.TICKER_BASE_URLS = dict.fromkeys(VENUES, "http://127.0.0.1:9")

    soon, late = exchange.run(), exchange.run(after_s=60)

    assert (soon.generated, late.generated) == (False, True)


def test_auto_does_not_generate_while_venues_answer_but_disagree(exchange, settings):
    settings.TICKER_MARKET = "auto"
    exchange.set("coinbase", "kraken", LTC=("0", "0"))

    report = exchange.run()

    assert not report.generated
    assert exchange.state().bid is None


def test_going_from_generated_to_live_prices_is_no_jump(exchange, settings):
    settings.TICKER_MARKET = "demo"
    exchange.run()
    settings.TICKER_MARKET = "auto"
    exchange.set(LTC=("500", "500.1"))

    exchange.run()

    assert exchange.state().code == "ok"
    assert not exchange.state().generated


def test_demo_asks_no_venue(exchange, settings):
    settings.TICKER_MARKET = "demo"

    report = exchange.run()

    assert report.generated
    assert exchange.replay.requests == []


@pytest.mark.parametrize("market", ["auto", "demo"])
def test_a_live_site_never_generates_whatever_the_settings_say(exchange, settings, market):
    settings.SITE_MODE, settings.TICKER_MARKET = "live", market
    settings.TICKER_BASE_URLS = dict.fromkeys(VENUES, "http://127.0.0.1:9")

    report = exchange.run()

    assert (report.generated, report.rated) == (False, 0)


def test_a_live_site_refuses_generated_rates_that_it_finds(exchange, settings):
    settings.TICKER_MARKET = "demo"
    exchange.run()
    assert get_rate(base="LTC", quote="USD", at=exchange.at)

    settings.SITE_MODE = "live"

    assert reason_code(exchange) == "generated"
    assert MarketState.objects.filter(generated=True).count() == 4


ODD = [
    "\x00",
    "84.50\x00",
    "\ud800",
    "\\ud800",
    "9" * 5000,
    "1e999999999",
    "-1e-999999999",
    "\u0663",
    "\u202e84",
    "a" * 50_000,
]


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_odd_text_of_one_venue_costs_no_other_venue_and_no_other_pair(exchange, venue, odd):
    exchange.set(venue, LTC=(odd, "84.52"))

    exchange.run()

    assert exchange.verdict(venue) == ("too_large" if venue == "kraken" and len(odd) > 50_000 else "not_a_price")
    others = sorted(set(VENUES) - {venue})
    assert exchange.state("LTC-USD").sources == others
    assert exchange.state("ETH-USD").sources == sorted(VENUES)
    assert [exchange.verdict(other) for other in others] == ["ok"] * 3


@pytest.mark.parametrize(
    ("venue", "field", "value"),
    [
        ("bitstamp", "timestamp", "99999999999999"),
        ("bitstamp", "timestamp", "\x00"),
        ("binance", "closeTime", 9999999999999999),
        ("binance", "symbol", "LTCUSDT\x00"),
        ("coinbase", "time", "0001-01-01T00:00:00+14:00"),
        ("coinbase", "time", "9999-12-31T23:59:59-14:00"),
        ("coinbase", "time", "\ud800"),
    ],
)
def test_an_impossible_time_costs_no_other_venue(exchange, monkeypatch, venue, field, value):
    honest = getattr(type(exchange.replay), f"_{venue}")
    monkeypatch.setattr(
        type(exchange.replay), f"_{venue}", lambda replay, *asked: honest(replay, *asked) | {field: value}
    )

    exchange.run()

    assert exchange.verdict(venue) in ("not_a_time", "wrong_symbol")
    assert exchange.state("LTC-USD").sources == sorted(set(VENUES) - {venue})


def test_a_pair_that_one_venue_no_longer_knows_loses_this_pair_alone(exchange):
    Listing.objects.filter(source="kraken", market="LTC-USD").update(symbol="XGONEZUSD")

    exchange.run()

    assert exchange.verdict("kraken") == "unknown_pair"
    assert exchange.state("LTC-USD").sources == ["binance", "bitstamp", "coinbase"]
    assert exchange.state("ETH-USD").sources == sorted(VENUES)


def test_what_a_column_refuses_costs_its_venue_alone(exchange, monkeypatch):
    """Whatever passes the readers: each venue is stored in a savepoint of its own."""
    monkeypatch.setattr(kraken, "read_price", lambda _said: Decimal(10) ** 25)

    report = exchange.run()

    assert report.rated == 4
    assert exchange.verdict("kraken") == "not_stored"
    assert exchange.verdict("coinbase") == "ok"
    assert exchange.state("LTC-USD").sources == ["binance", "bitstamp", "coinbase"]
