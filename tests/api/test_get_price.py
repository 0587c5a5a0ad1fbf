"""Rows 6, 16 and 17: prices."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from core.assets import get_asset
from core.snapshot import forget_all
from ledger.balances import get_balance
from ledger.post import post_entry
from ledger.reserve import reserve_entry
from tests.api.conftest import set_rate
from ticker.models import MarketRate
from wallets.models import ChainState

BOUNDS = ("max_amount_base", "max_amount_quote", "min_amount_base", "min_amount_quote")


def is_number(value):
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def test_prices_what_is_sent(house, anyone, at):
    price = anyone.get("get_price/ETHLTC/?amount_quote=10").body

    assert price["amount_quote"] == 10
    # 10 LTC at 3000/100 LTC per ETH, 0.25 % spread, 0.5 % fee, less the network fee, down to the eighth place.
    assert price["amount_base"] == Decimal("0.33079756")
    assert price["price"] == Decimal("30.2299690481")
    assert price["timestamp"] == int(at.timestamp())
    assert price["pair"] == {"base": "ETH", "quote": "LTC"}


def test_every_computed_field_is_a_number(house, anyone):
    price = anyone.get("get_price/ETHLTC/?amount_quote=10").body

    assert set(price) == {"amount_base", "amount_quote", "timestamp", "price", "pair", *BOUNDS}
    assert all(is_number(price[name]) for name in price if name != "pair")


def test_what_is_received_is_received_exactly(house, anyone):
    price = anyone.get("get_price/ETHLTC/?amount_base=0.1").body

    assert price["amount_base"] == Decimal("0.1")
    assert price["amount_quote"] > 3


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?amount_base=undefined",
        "?amount_quote=undefined&amount_base=undefined",
        "?amount_base=",
        "?amount_base=null",
        "?amount_base=0",
        "?amount_quote=0.0",
    ],
)
def test_without_an_amount_there_is_a_default_one(house, anyone, query):
    answer = anyone.get(f"get_price/ETHLTC/{query}")

    assert answer.status_code == 200
    assert answer.body["min_amount_quote"] <= answer.body["amount_quote"] <= answer.body["max_amount_quote"]


def test_zero_and_undefined_on_one_side_are_absent(house, anyone):
    wanted = anyone.get("get_price/ETHLTC/?amount_quote=10").body

    assert anyone.get("get_price/ETHLTC/?amount_quote=10&amount_base=0").body == wanted
    assert anyone.get("get_price/ETHLTC/?amount_quote=10&amount_base=undefined").body == wanted


@pytest.mark.parametrize("path", ["ethltc", "ETHLTC"])
def test_reads_the_pair_in_either_case(house, anyone, path):
    assert anyone.get(f"get_price/{path}/").status_code == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("amount_quote=10&amount_base=1", "both_amounts"),
        ("amount_quote=0&amount_base=0", "amount_required"),
        ("amount_quote=-1", "amount_invalid"),
        ("amount_quote=-0", "amount_invalid"),
        ("amount_quote=NaN", "amount_invalid"),
        ("amount_quote=Infinity", "amount_invalid"),
        ("amount_quote=1e400", "amount_invalid"),
        ("amount_quote=1e1", "amount_invalid"),
        ("amount_quote=1,5", "amount_invalid"),
        ("amount_quote=.", "amount_invalid"),
        ("amount_quote=%D9%A3", "amount_invalid"),
        ("amount_quote=%EF%BC%91", "amount_invalid"),
        ("amount_quote=" + "9" * 400, "amount_invalid"),
        ("amount_quote=1.123456789", "amount_too_precise"),
        ("amount_base=0.1234567890123456789", "amount_too_precise"),
        ("amount_quote=0.00000001", "amount_below_minimum"),
        ("amount_quote=100000", "amount_above_maximum"),
        ("amount_base=100000", "amount_above_maximum"),
    ],
)
def test_a_refusal_holds_a_reason_and_the_bounds(house, anyone, query, code):
    answer = anyone.get(f"get_price/ETHLTC/?{query}")

    assert answer.status_code == 400
    assert answer.body["code"] == code
    assert answer.body["detail"]
    assert all(is_number(answer.body[name]) for name in BOUNDS)
    assert answer.body["max_amount_quote"] > answer.body["min_amount_quote"] > 0


def test_the_bounds_themselves_are_accepted(house, anyone):
    bounds = anyone.get("get_price/ETHLTC/").body

    for side in ("base", "quote"):
        for end in ("min", "max"):
            amount = Decimal(bounds[f"{end}_amount_{side}"])
            assert anyone.get(f"get_price/ETHLTC/?amount_{side}={amount:f}").status_code == 200


def test_an_unknown_pair_is_a_404(house, anyone):
    answer = anyone.get("get_price/NOPE/")

    assert (answer.status_code, answer.body["code"]) == (404, "pair_unknown")


@pytest.mark.parametrize("case", ["disabled", "stale", "empty", "paused"])
def test_refuses_with_bounds_when_nothing_can_be_priced(house, anyone, at, case):
    pair, code = {
        "disabled": ("BTCLTC", "pair_disabled"),
        "stale": ("ETHLTC", "rate_unavailable"),
        "empty": ("ETHLTC", "liquidity_short"),
        "paused": ("ETHLTC", "pair_paused"),
    }[case]
    if case == "stale":
        set_rate("ETH", bid="2990", ask="3000", at=at - timedelta(minutes=5))
    if case == "empty":
        amount = get_balance(kind="chain:spendable", asset=get_asset("ETH"))
        with transaction.atomic():
            post_entry(reserve_entry(purpose="elsewhere", amount=amount, at=at))
    if case == "paused":
        ChainState.objects.filter(code="ethereum").update(problem="node away")
    forget_all()

    answer = anyone.get(f"get_price/{pair}/")

    assert (answer.status_code, answer.body["code"]) == (400, code)
    assert answer.body["detail"]
    assert all(is_number(answer.body[name]) for name in BOUNDS)


def test_costs_no_statement_warm_and_two_cold(house, anyone, django_assert_num_queries, django_assert_max_num_queries):
    forget_all()
    with django_assert_max_num_queries(2):
        anyone.get("get_price/ETHLTC/?amount_quote=10")

    with django_assert_num_queries(0):
        for query in ("amount_quote=10", "amount_base=0.1", "", "amount_quote=1000000"):
            anyone.get(f"get_price/LTCETH/?{query}", authorization="Bearer " + "a" * 64)


def test_shows_the_latest_rate(house, anyone):
    (latest,) = anyone.get("price/ethltc/latest/").body

    assert latest["ticker"] == {"ask": "30.00000000", "bid": "29.75124378"}
    assert latest["unix_time"].isdigit()


def test_the_latest_rate_is_an_empty_array_while_none_is_reliable(house, anyone, at):
    set_rate("LTC", bid="100", ask="101", at=at - timedelta(hours=1))
    forget_all()

    answer = anyone.get("price/ETHLTC/latest/?market_code=nex")

    assert (answer.status_code, answer.body) == (200, [])


def test_other_markets_are_empty(house, anyone):
    assert anyone.get("price/ETHLTC/latest/?market_code=locbit").body == []
    assert anyone.get("price/ETHLTC/history/?market_code=locbit").body == []


def test_history_runs_from_oldest_to_newest(house, anyone, at):
    for hours in (3, 2, 1):
        for market, price in (("ETH-USD", 3000 + hours), ("LTC-USD", 100)):
            MarketRate.objects.create(
                market_id=market, at=at - timedelta(hours=hours), bid=price, ask=price, sources=["kraken"]
            )

    points = anyone.get("price/ethltc/history/?hours=24&data_points=100").body

    assert [point["ticker"]["ask"] for point in points] == ["30.03000000", "30.02000000", "30.01000000"]
    assert [int(point["unix_time"]) for point in points] == sorted(int(point["unix_time"]) for point in points)
    assert len(anyone.get("price/ethltc/history/?hours=2&data_points=100").body) == 2


@pytest.mark.parametrize(
    "query", ["hours=x", "hours=-1", "hours=0", "hours=1e9", "data_points=NaN", "data_points=", "hours=%D9%A3"]
)
def test_history_refuses_nonsense(house, anyone, query):
    answer = anyone.get(f"price/ETHLTC/history/?{query}")

    assert (answer.status_code, answer.body["code"]) == (400, "field_invalid")


def test_history_of_an_unknown_pair_is_a_404(house, anyone):
    assert anyone.get("price/NOPE/history/").status_code == 404
    assert anyone.get("price/NOPE/latest/").status_code == 404
