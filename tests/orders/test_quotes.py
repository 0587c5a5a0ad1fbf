"""orders.quotes: what a quote holds, what it refuses, and that its token cannot be bent."""

from datetime import timedelta

import pytest
from django.core import signing

from core.errors import DomainError
from core.snapshot import forget_all
from orders import quotes
from orders.models import Order
from orders.offer import get_limits
from orders.quotes import QuoteExpired, QuoteInvalid, make_quote, read_quote
from tests.orders.conftest import NOW
from ticker.models import MarketState

pytestmark = pytest.mark.usefixtures("site")


def test_the_breakdown_adds_up_from_either_side() -> None:
    for amounts in ({"send": "2"}, {"get": "0.05"}):
        quote = make_quote(pair="ETHLTC", at=NOW, **amounts)

        gross = quote.send.to_decimal() / quote.rate
        parts = (quote.get + quote.fee + quote.network_fee).to_decimal()
        assert abs(gross - parts) < quote.get.to_decimal().scaleb(-12)
        assert quote.expires_at - quote.made_at == timedelta(seconds=60)


def test_a_quote_survives_its_token() -> None:
    quote = make_quote(pair="LTCETH", send="0.1", at=NOW)

    assert read_quote(token=quote.token, at=NOW + timedelta(seconds=59)) == quote


@pytest.mark.parametrize("place", [0, 20, -1])
def test_a_changed_token_is_refused(place: int) -> None:
    token = make_quote(pair="ETHLTC", send="2", at=NOW).token
    letters = list(token)
    letters[place] = "A" if letters[place] != "A" else "B"

    with pytest.raises(QuoteInvalid):
        read_quote(token="".join(letters), at=NOW)


def test_a_quote_ends_after_a_minute() -> None:
    token = make_quote(pair="ETHLTC", send="2", at=NOW).token

    with pytest.raises(QuoteExpired):
        read_quote(token=token, at=NOW + timedelta(seconds=60))


TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("after", "taken"),
    [
        (timedelta(seconds=-5) - TICK, False),  # made by a clock that runs ahead of this one by more than five seconds
        (timedelta(seconds=-5), True),
        (timedelta(0), True),
        (timedelta(seconds=60) - TICK, True),
        (timedelta(seconds=60), False),
    ],
)
def test_a_quote_is_taken_from_when_it_was_made_until_a_minute_later(after: timedelta, taken: bool) -> None:
    quote = make_quote(pair="ETHLTC", send="2", at=NOW)
    if taken:
        assert read_quote(token=quote.token, at=NOW + after) == quote
    else:
        with pytest.raises(QuoteExpired) as refusal:
            read_quote(token=quote.token, at=NOW + after)
        assert refusal.value.quote_id == quote.id


@pytest.mark.parametrize("milliseconds", [0, 1, 999])
def test_the_moments_of_a_quote_survive_its_token_to_the_millisecond(milliseconds: int) -> None:
    at = NOW + timedelta(milliseconds=milliseconds)
    quote = make_quote(pair="ETHLTC", get="0.05", at=at)

    again = read_quote(token=quote.token, at=at)
    assert (again.made_at, again.expires_at, again.rate_at) == (at, at + timedelta(seconds=60), NOW)
    assert (again.side, again.type) == ("get", "fixed")


@pytest.mark.parametrize(("pair", "text", "kept"), [("LTCETH", "0.10000000999", "0.1"), ("LTCETH", "0.1", "0.1")])
def test_an_amount_between_two_steps_counts_as_the_lower_one(pair: str, text: str, kept: str) -> None:
    assert make_quote(pair=pair, send=text, at=NOW).send.format() == kept


def test_what_one_coin_costs_has_every_fee_in_it() -> None:
    quote = make_quote(pair="ETHLTC", get="0.5", at=NOW)

    assert quote.price == quote.send.to_decimal() * 2
    assert quote.price > quote.rate


def test_a_token_without_a_cap_of_fees_is_that_of_a_release_before() -> None:
    quote = make_quote(pair="ETHLTC", send="2", at=NOW)
    facts = signing.loads(quote.token, key=quotes._key(), salt=quotes._SALT)
    assert quote.fee_cap != quote.network_fee
    del facts["c"]
    old = signing.dumps(facts, key=quotes._key(), salt=quotes._SALT, compress=True)

    assert read_quote(token=old, at=NOW).fee_cap == quote.network_fee


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"pair": "XXXYYY", "send": "1"}, "pair_unknown"),
        ({"pair": "BTCLTC", "send": "1"}, "pair_disabled"),
        ({"pair": "ETHLTC"}, "amount_required"),
        ({"pair": "ETHLTC", "send": "1", "get": "1"}, "both_amounts"),
        ({"pair": "ETHLTC", "send": "0"}, "amount_below_minimum"),
        ({"pair": "ETHLTC", "send": "-1"}, "amount_invalid"),
        ({"pair": "ETHLTC", "send": "NaN"}, "amount_invalid"),
        ({"pair": "ETHLTC", "send": "1e400"}, "amount_invalid"),
        ({"pair": "ETHLTC", "send": "١"}, "amount_invalid"),
        ({"pair": "ETHLTC", "send": "0x10"}, "amount_invalid"),
        ({"pair": "ETHLTC", "send": "1.123456789"}, "amount_too_precise"),
        ({"pair": "ETHLTC", "send": "999999"}, "amount_above_maximum"),
        ({"pair": "ETHLTC", "get": "0.0000000001"}, "amount_below_minimum"),
    ],
)
def test_bad_input_is_refused_with_a_stable_code(asked: dict[str, str], code: str) -> None:
    with pytest.raises(DomainError) as refusal:
        make_quote(at=NOW, **asked)

    assert refusal.value.code == code
    assert str(refusal.value)
    assert not Order.objects.exists()


def test_no_price_means_no_quote() -> None:
    MarketState.objects.filter(market_id="LTC-USD").update(rate_at=NOW - timedelta(seconds=61))
    forget_all()

    with pytest.raises(DomainError) as refusal:
        make_quote(pair="ETHLTC", send="1", at=NOW)

    assert refusal.value.code == "rate_unavailable"


def test_the_limits_themselves_can_be_ordered() -> None:
    for pair in ("ETHLTC", "LTCETH"):
        limits = get_limits(pair=pair, at=NOW)
        for bound in (limits.min_send, limits.max_send):
            assert make_quote(pair=pair, send=bound.format(), at=NOW).send == bound
        for bound in (limits.min_get, limits.max_get):
            assert make_quote(pair=pair, get=bound.format(), at=NOW).get == bound
