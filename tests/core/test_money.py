from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import MinorField
from core.money import MAX_MINOR, AmountInvalid, AmountTooPrecise, AssetMismatch, Money, minor_factor, round_rate


@dataclass(frozen=True)
class Coin:
    code: str
    scale: int
    quote_step: int = 1


LTC = Coin("LTC", 8)
ETH = Coin("ETH", 18, 10**10)
COINS = st.builds(Coin, st.just("ANY"), st.integers(0, 18))
MINORS = st.integers(0, MAX_MINOR)


@given(MINORS, COINS)
def test_what_is_printed_is_read_back_as_the_same_amount(minor, coin):
    money = Money(minor, coin)
    assert Money.parse(money.format(), coin) == money
    assert Money.parse(money.to_decimal(), coin) == money


@given(st.text(max_size=40), COINS)
def test_any_text_is_an_amount_or_a_refusal_with_a_code(text, coin):
    try:
        money = Money.parse(text, coin)
    except (AmountInvalid, AmountTooPrecise):
        pass
    else:
        assert 0 <= money.minor <= MAX_MINOR


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-1", "+1", "1e3", "1e400", "NaN", "Infinity", "0x10", "1_000", "1,5", "1 000", ".5", "5.", "1.2.3"),
        *("１２", "٣", "१", "²", "Ⅷ", "1\x00", "1\n2", "−1", "9" * 31, "9" * 39, "None"),
    ],
)
def test_what_is_not_plain_digits_is_refused(text):
    with pytest.raises(AmountInvalid) as refusal:
        Money.parse(text, LTC, field="send")
    assert refusal.value.field == "send"


@pytest.mark.parametrize(
    "number", ["NaN", "-NaN", "sNaN", "Infinity", "-1", "1e400", "-0.1", "1e999999999", "9e-999999999"]
)
def test_a_decimal_that_is_no_amount_is_refused_without_writing_it_out(number):
    with pytest.raises((AmountInvalid, AmountTooPrecise)):
        Money.parse(Decimal(number), LTC)


@pytest.mark.parametrize("value", [1.5, 1, None, True, b"1", ["1"]])
def test_only_text_and_decimals_are_parsed(value):
    with pytest.raises(AmountInvalid):
        Money.parse(value, LTC)


def test_too_many_places_are_refused_and_zeros_behind_are_not():
    with pytest.raises(AmountTooPrecise) as refusal:
        Money.parse("0.000000001", LTC)
    assert "8" in str(refusal.value)
    assert Money.parse("1.1000000000000", LTC).minor == 110_000_000
    assert Money.parse("0.000000001", ETH).minor == 10**9


def test_more_than_the_column_holds_is_refused():
    assert Money.parse(str(10**20 - 1), ETH).minor == (10**20 - 1) * 10**18
    with pytest.raises(AmountInvalid):
        Money.parse(str(10**20), ETH)
    with pytest.raises(OverflowError):
        Money(MAX_MINOR, ETH) + Money(1, ETH)


@pytest.mark.parametrize("minor", [1.0, Decimal(1), True, "1", None, Fraction(1)])
def test_money_holds_an_int_and_nothing_else(minor):
    with pytest.raises(TypeError):
        Money(minor, LTC)


@pytest.mark.parametrize("other", [1, 0, 1.0, Decimal(1), None])
def test_money_adds_and_compares_only_with_money(other):
    money = Money(5, LTC)
    for operation in (lambda: money + other, lambda: money - other, lambda: money < other, lambda: money >= other):
        with pytest.raises(TypeError):
            operation()


def test_two_assets_never_meet():
    for operation in (Money.__add__, Money.__sub__, Money.__lt__, Money.__le__, Money.__gt__, Money.__ge__):
        with pytest.raises(AssetMismatch):
            operation(Money(1, LTC), Money(1, ETH))


def test_the_truth_of_money_is_not_asked():
    with pytest.raises(TypeError):
        bool(Money(0, LTC))


def test_a_float_factor_or_rate_raises():
    with pytest.raises(TypeError):
        Money(1, LTC).times_floor(0.5, LTC)
    with pytest.raises(TypeError):
        minor_factor(0.5, source=LTC, target=ETH)


@given(st.integers(0, 10**30), st.fractions(min_value=0, max_value=10**6), st.integers(1, 10**10))
def test_rounding_gives_down_by_less_than_a_step(minor, factor, step):
    coin = Coin("ANY", 8, step)
    exact = minor * factor
    given_ = Money(minor, LTC).times_floor(factor, coin).minor
    assert given_ <= exact
    assert exact - given_ < step
    assert given_ % step == 0


@given(st.fractions(min_value=Fraction(1, 10**12), max_value=10**12))
def test_a_rate_is_cut_towards_the_house(rate):
    low, high = round_rate(rate, up=False), round_rate(rate, up=True)
    assert Fraction(low) <= rate <= Fraction(high)
    assert len(low.as_tuple().digits) <= 12


def test_a_rate_in_coins_becomes_exact_minor_units():
    assert minor_factor(Decimal("0.03"), source=LTC, target=ETH) == Fraction(3, 100) * 10**10
    assert Money(100_000_000, LTC).times_floor(minor_factor(Decimal("0.03"), source=LTC, target=ETH), ETH) == Money(
        3 * 10**16, ETH
    )


def test_the_column_refuses_floats_and_fractions():
    column = MinorField()
    assert column.get_prep_value(10**30) == 10**30
    assert column.get_prep_value(Decimal("5.0")) == 5
    for wrong in (1.0, Decimal("1.5")):
        with pytest.raises(TypeError):
            column.get_prep_value(wrong)


@pytest.mark.parametrize(
    ("mine", "theirs", "less", "at_most"),
    [(4, 5, True, True), (5, 5, False, True), (6, 5, False, False), (-1, 0, True, True), (0, -1, False, False)],
)
def test_amounts_compare_at_the_edge(mine, theirs, less, at_most):
    one, other = Money(mine, LTC), Money(theirs, LTC)

    assert (one < other, one <= other, one > other, one >= other) == (less, at_most, not at_most, not less)


@pytest.mark.parametrize(
    ("number", "shown"),
    [("1e60", "1" + "0" * 39), ("1e61", "1E+61"), ("1e-60", "0." + "0" * 38), ("1e-61", "1E-61"), ("NaN", "NaN")],
)
def test_an_exponent_beyond_sixty_is_never_written_out(number, shown):
    with pytest.raises(AmountInvalid) as refusal:
        Money.parse(Decimal(number), LTC)

    assert f"“{shown}”" in str(refusal.value)


@pytest.mark.parametrize(
    ("minor", "fits"), [(10**38 - 1, True), (10**38, False), (1 - 10**38, True), (-(10**38), False)]
)
def test_an_amount_fits_into_38_digits_on_either_side(minor, fits):
    if fits:
        assert Money(minor, ETH).minor == minor
    else:
        with pytest.raises(OverflowError):
            Money(minor, ETH)
