from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.market_replay import RECORDED_AT as AT
from ticker.models import MarketRate, MarketState
from ticker.rates import Rate, RateUnavailable, Standing, cross_rate, get_rate, list_history

price = st.decimals(min_value="0.0001", max_value="100000", places=8)


def standing(bid, ask, *, at=AT, paused=False):
    return Standing("X-USD", bid, ask, ("a", "b", "c"), at, paused, False, 60)


def set_state(market, bid, ask, at=AT):
    MarketState.objects.create(
        market_id=market, checked_at=at, code="ok", bid=bid, ask=ask, sources=["a", "b", "c"], rate_at=at
    )


def add_history(market, *prices, step_s=10):
    MarketRate.objects.bulk_create(
        MarketRate(market_id=market, at=AT + timedelta(seconds=step_s * count), bid=value, ask=value, sources=["a"])
        for count, value in enumerate(prices)
    )


def test_crosses_two_dollar_markets_buying_at_the_ask_and_selling_at_the_bid(db):
    set_state("ETH-USD", "2950", "2960")
    set_state("LTC-USD", "80", "81")

    rate = get_rate(base="ETH", quote="LTC", at=AT)

    assert rate.ask == Decimal(2960) / Decimal(80) == 37
    assert rate.bid == Decimal("36.4197530864")  # 2950 / 81, rounded down
    assert (rate.base, rate.quote, rate.at) == ("ETH", "LTC", AT)


def test_reads_the_table_in_one_statement(db):
    set_state("ETH-USD", "2950", "2960")
    set_state("LTC-USD", "80", "81")

    with CaptureQueriesContext(connection) as counted:
        get_rate(base="ETH", quote="LTC", at=AT)

    assert len(counted) == 1


def test_prices_in_dollars_and_dollars_in_coins(db):
    set_state("LTC-USD", "80", "100")

    assert get_rate(base="LTC", quote="USD", at=AT).ask == 100
    assert get_rate(base="USD", quote="LTC", at=AT).ask == Decimal("0.0125")


def test_is_as_old_as_the_older_of_its_two_markets(db):
    set_state("ETH-USD", "2950", "2960", at=AT - timedelta(seconds=50))
    set_state("LTC-USD", "80", "81")

    assert get_rate(base="ETH", quote="LTC", at=AT).at == AT - timedelta(seconds=50)


@pytest.mark.parametrize(
    ("late", "usable"),
    [
        (timedelta(seconds=60), True),
        (timedelta(seconds=60, microseconds=1), False),
        (timedelta(seconds=-61), False),
        (timedelta(days=365), False),
    ],
)
def test_refuses_a_rate_past_its_minute(late, usable):
    standings = {"LTC": standing(Decimal(80), Decimal(81))}

    if usable:
        assert cross_rate(standings, base="LTC", quote="USD", at=AT + late)
    else:
        with pytest.raises(RateUnavailable) as refused:
            cross_rate(standings, base="LTC", quote="USD", at=AT + late)
        assert refused.value.context["reason_code"] == "stale"


@pytest.mark.parametrize(
    ("standings", "code"),
    [
        ({}, "no_market"),
        ({"LTC": standing(None, None, at=None)}, "no_rate"),
        ({"LTC": standing(Decimal(80), Decimal(81), paused=True)}, "paused"),
    ],
)
def test_names_the_reason_and_the_market(standings, code):
    with pytest.raises(RateUnavailable) as refused:
        cross_rate(standings, base="LTC", quote="USD", at=AT)

    assert refused.value.code == "rate_unavailable"
    assert refused.value.context["reason_code"] == code
    assert refused.value.context["market"] == "LTC-USD"
    assert "LTC/USD" in str(refused.value)


def test_never_answers_zero_when_one_leg_is_missing():
    with pytest.raises(RateUnavailable):
        cross_rate({"ETH": standing(Decimal(2950), Decimal(2960))}, base="ETH", quote="LTC", at=AT)


@given(price, price, st.integers(0, 99), st.integers(0, 99))
def test_a_crossed_rate_is_never_better_for_the_customer_than_the_two_markets(eth, ltc, eth_bps, ltc_bps):
    standings = {
        "ETH": standing(eth, eth * (10000 + eth_bps) / 10000),
        "LTC": standing(ltc, ltc * (10000 + ltc_bps) / 10000),
    }

    there = cross_rate(standings, base="ETH", quote="LTC", at=AT)
    back = cross_rate(standings, base="LTC", quote="ETH", at=AT)

    assert 0 < there.bid <= there.ask
    assert there.ask * back.ask >= 1  # going there and back never makes money
    assert there.bid * back.bid <= 1
    assert there.ask * standings["LTC"].bid >= standings["ETH"].ask


def test_history_is_one_statement_and_bounded(db):
    add_history("ETH-USD", *range(2900, 2960))
    add_history("LTC-USD", *range(60, 120))
    until = AT + timedelta(seconds=600)

    with CaptureQueriesContext(connection) as counted:
        history = list_history(base="ETH", quote="LTC", since=AT, until=until, points=6)

    assert len(counted) == 1
    assert len(history) == 6
    assert [rate.at for rate in history] == sorted(rate.at for rate in history)
    assert history[-1] == Rate(
        "ETH", "LTC", Decimal("24.8655462184"), Decimal("24.8655462185"), ("a",), AT + timedelta(seconds=590)
    )


def test_history_leaves_out_parts_without_a_rate_of_both(db):
    add_history("ETH-USD", 2900, 2901, 2902)
    add_history("LTC-USD", 80)
    until = AT + timedelta(seconds=30)

    assert len(list_history(base="ETH", quote="LTC", since=AT, until=until, points=3)) == 1
    assert len(list_history(base="ETH", quote="USD", since=AT, until=until, points=3)) == 3


def test_history_of_nothing_is_empty(db):
    assert list_history(base="ETH", quote="LTC", since=AT, until=AT + timedelta(hours=1), points=10) == []
    assert list_history(base="ETH", quote="LTC", since=AT, until=AT, points=10) == []


def test_history_caps_the_points_asked_for(db):
    add_history("ETH-USD", *range(1, 1201), step_s=1)

    history = list_history(base="ETH", quote="USD", since=AT, until=AT + timedelta(seconds=1200), points=10**9)

    assert len(history) == 1000
