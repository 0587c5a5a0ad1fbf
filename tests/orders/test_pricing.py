"""orders.pricing: sums are exact, rounding favours the house, promises are monotone."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import Asset
from core.money import Money
from orders.pricing import Terms, customer_rate, gross_of, price_get, price_send, pro_rata
from ticker.models import Pair

LTC = Asset(code="LTC", scale=8, quote_step=1)
ETH = Asset(code="ETH", scale=18, quote_step=10**10)


def terms(rate: str = "35.7142857143", fee_bps: int = 50) -> Terms:
    return Terms(
        Pair(name="ETHLTC"),
        LTC,
        ETH,
        Decimal(rate),
        fee_bps,
        Money(24 * 10**13, ETH),
        Money(96 * 10**13, ETH),
        datetime(2026, 1, 1, tzinfo=UTC),
    )


amounts = st.integers(min_value=10**6, max_value=10**13)
rates = st.decimals(min_value="0.001", max_value="100000", places=8)


@given(amounts, rates, st.integers(min_value=0, max_value=500))
def test_the_legs_of_a_send_quote_sum_to_the_gross(minor: int, rate: Decimal, fee_bps: int) -> None:
    given_terms = terms(str(rate), fee_bps)
    priced = price_send(Money(minor, LTC), given_terms)

    assert gross_of(priced.send, rate=given_terms.rate, into=ETH) == priced.get + priced.fee + given_terms.network_fee
    assert priced.get.minor % ETH.quote_step == 0


@given(st.integers(min_value=10**6, max_value=10**9), rates, st.integers(min_value=0, max_value=500))
def test_a_get_quote_asks_for_enough_and_for_no_step_more(steps: int, rate: Decimal, fee_bps: int) -> None:
    given_terms = terms(str(rate), fee_bps)
    wanted = Money(steps * ETH.quote_step, ETH)
    priced = price_get(wanted, given_terms)

    assert priced.get == wanted
    assert price_send(priced.send, given_terms).get >= wanted
    assert price_send(Money(priced.send.minor - 1, LTC), given_terms).get < wanted + Money(ETH.quote_step, ETH)
    nominal = gross_of(priced.send, rate=given_terms.rate, into=ETH).minor * fee_bps // 10_000
    assert priced.fee.minor >= nominal - 1


def test_the_spread_moves_the_ask_up_and_is_rounded_against_the_customer() -> None:
    assert customer_rate(ask=Decimal(3), spread_bps=25) == Decimal("3.0075")
    assert customer_rate(ask=Decimal(1) / Decimal(3), spread_bps=0) == Decimal("0.333333333334")


@pytest.mark.parametrize(
    ("deposit", "expected"),
    [(10**8, 5 * 10**18), (99_600_000, 498 * 10**16), (100_400_000, 502 * 10**16)],
    ids=["exact", "less", "more"],
)
def test_a_deposit_executes_pro_rata_at_the_promised_rate(deposit: int, expected: int) -> None:
    got = pro_rata(deposit=Money(deposit, LTC), send=Money(10**8, LTC), get=Money(5 * 10**18, ETH))

    assert got == Money(expected, ETH)


def test_one_step_of_tolerance_pays_exactly_what_was_promised() -> None:
    send, get = Money(10**18, ETH), Money(123_456_789, LTC)

    assert pro_rata(deposit=Money(10**18 - 10**10, ETH), send=send, get=get) == get
    assert pro_rata(deposit=Money(10**18 - 3 * 10**10, ETH), send=send, get=get) < get


@pytest.mark.parametrize(
    ("step", "short", "promised"),
    [(1, 0, True), (1, 1, False), (2, 2, True), (2, 3, False), (10, 10, True), (10, 11, False)],
)
def test_a_deposit_a_step_off_pays_what_was_promised_and_no_further(step: int, short: int, promised: bool) -> None:
    coin = Asset(code="ANY", scale=8, quote_step=step)
    send, get = Money(10**8, coin), Money(5 * 10**18 + 1, ETH)  # not a multiple of the step: exactly what was said
    for deposit in (send.minor - short, send.minor + short):
        assert (pro_rata(deposit=Money(deposit, coin), send=send, get=get) == get) is promised


def test_the_gross_is_rounded_to_the_unit() -> None:
    same = Asset(code="ANY", scale=8, quote_step=1)

    assert gross_of(Money(3, LTC), rate=Decimal(1), into=same) == Money(3, same)
