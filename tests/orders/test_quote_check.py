"""A quote is worth no more than the market, whoever signed it; FAULTS 14: with the key 0.05 LTC were nearly given away."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import signing

from core.errors import DomainError
from core.money import Money
from core.snapshot import forget_all
from orders import policy, quotes
from orders.models import Order
from orders.offer import get_limits, get_offer
from orders.open import open_order
from orders.pricing import gross_of, price_get, price_send
from orders.quotes import Quote, QuoteInvalid, make_quote, read_quote
from tests.orders.conftest import NOW
from ticker.models import MarketState

pytestmark = pytest.mark.usefixtures("site")

ETH_ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # from EIP-55
LTC_ADDRESS = "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3"


def forge(quote: Quote) -> Quote:
    """Sign whatever `quote` says with the right key, as a thief of it would."""
    return read_quote(token=quotes.sign_quote(quote).token, at=NOW)


def accept(quote: Quote, *, seconds: int = 1) -> Order:
    return open_order(quote=quote, payout_address=ETH_ADDRESS, at=NOW + timedelta(seconds=seconds)).order


def minor(money: Money, change: int) -> Money:
    return Money(money.minor + change, money.asset)


def at_rate(quote: Quote, rate: Decimal, *, fee_bps: int = 50) -> Quote:
    """Return the quote that adds up at another rate."""
    gross = gross_of(quote.send, rate=rate, into=quote.get.asset)
    step = quote.get.asset.quote_step
    get = Money((gross.minor * (10_000 - fee_bps) // 10_000 - quote.network_fee.minor) // step * step, quote.get.asset)
    return replace(quote, rate=rate, get=get, fee=gross - get - quote.network_fee)


def honest() -> Quote:
    return make_quote(pair="ETHLTC", send="2", at=NOW)


STEP = 10**10
FORGERIES = {
    "twice as much for it": (lambda q: replace(q, get=Money(q.get.minor * 2, q.get.asset)), "quote_invalid"),
    "a step more for it": (lambda q: replace(q, get=minor(q.get, STEP)), "quote_invalid"),
    "a step more, out of our fee": (
        lambda q: replace(q, get=minor(q.get, 2 * STEP), fee=minor(q.fee, -2 * STEP)),
        "quote_invalid",
    ),
    "off the step": (lambda q: replace(q, get=minor(q.get, -1), fee=minor(q.fee, 1)), "quote_invalid"),
    "next to nothing to send": (lambda q: replace(q, send=Money(1, q.send.asset)), "quote_invalid"),
    "a negative fee": (lambda q: replace(q, fee=Money(-q.fee.minor, q.fee.asset)), "quote_invalid"),
    "the sides of the other pair": (lambda q: replace(q, pair="LTCETH"), "quote_invalid"),
    "a rate of a hundredth": (lambda q: at_rate(q, q.rate / 100), "quote_outdated"),
    "a rate a hundred times": (lambda q: at_rate(q, q.rate * 100), "quote_outdated"),
    "below the least to send": (
        lambda q: at_rate(replace(q, send=Money(4_999_999, q.send.asset)), q.rate),
        "amount_below_minimum",
    ),
    "above the most to send": (
        lambda q: at_rate(replace(q, send=Money(5_000_000_001, q.send.asset)), q.rate),
        "amount_above_maximum",
    ),
    "a cap of everything we have": (lambda q: replace(q, fee_cap=Money(10**21, q.get.asset)), "quote_outdated"),
    "the slip and a little": (
        lambda q: at_rate(q, q.rate * (10_000 - policy.QUOTE_SLIP_BPS) / 10_000 - Decimal("1E-9")),
        "quote_outdated",
    ),
    "the slip against them and a little": (
        lambda q: at_rate(q, q.rate * (10_000 + policy.QUOTE_SLIP_BPS) / 10_000 + Decimal("1E-9")),
        "quote_outdated",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_signed_forgery_opens_nothing(name: str) -> None:
    change, code = FORGERIES[name]
    forged = forge(change(honest()))

    with pytest.raises(DomainError) as refused:
        accept(forged)

    assert refused.value.code == code
    assert not Order.objects.exists()


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_rate_at_the_slip_is_kept(sign: int) -> None:
    quote = honest()
    order = accept(forge(at_rate(quote, quote.rate * (10_000 + sign * policy.QUOTE_SLIP_BPS) / 10_000)))

    assert order.send_minor == quote.send.minor


def test_a_pinch_of_ether_buys_no_litecoin() -> None:
    """What was tried: 0.05 LTC for 0.00000001 ETH, with everything that must add up adding up."""
    quote = make_quote(pair="LTCETH", send="0.1", at=NOW)
    send, get = Money(10**10, quote.send.asset), Money(5_000_000, quote.get.asset)
    rate = Decimal("1E-8") / (get.to_decimal() * 2)
    gross = gross_of(send, rate=rate, into=get.asset)
    forged = replace(quote, send=send, get=get, rate=rate, network_fee=Money(0, get.asset), fee=gross - get)

    with pytest.raises(DomainError) as refused:
        open_order(quote=forge(forged), payout_address=LTC_ADDRESS, at=NOW)

    assert refused.value.code == "quote_outdated"
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("side", "amount", "code"),
    [
        ("get", 2 * 10**15, ""),  # fixtures/assets.json: the least of ETH, and the most of LTC
        ("get", 2 * 10**15 - STEP, "amount_below_minimum"),
        ("send", 50 * 10**8, ""),
        ("send", 50 * 10**8 + 1, "amount_above_maximum"),
    ],
)
def test_the_bounds_of_an_asset_are_looked_at_again(side: str, amount: int, code: str) -> None:
    quote, terms = honest(), get_offer("ETHLTC", at=NOW).terms
    price = price_get if side == "get" else price_send
    priced = price(Money(amount, terms.get_asset if side == "get" else terms.send_asset), terms)
    forged = forge(replace(quote, send=priced.send, get=priced.get, fee=priced.fee))

    if not code:
        assert accept(forged).send_minor == priced.send.minor
        return
    with pytest.raises(DomainError) as refused:
        accept(forged)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("pair", "amounts"),
    [
        *[("ETHLTC", {"send": "2"}), ("ETHLTC", {"get": "0.05"}), ("ETHLTC", {"send": "1.23456789"})],
        *[("LTCETH", {"send": "0.1"}), ("LTCETH", {"get": "5"}), ("LTCETH", {"send": "0.12345678"})],
    ],
)
def test_what_we_quoted_is_taken(pair: str, amounts: dict[str, Any]) -> None:
    quote = make_quote(pair=pair, at=NOW, **amounts)
    address = ETH_ADDRESS if pair == "ETHLTC" else LTC_ADDRESS

    order = open_order(quote=quote, payout_address=address, at=NOW + timedelta(seconds=59)).order

    assert (order.send_minor, order.get_minor) == (quote.send.minor, quote.get.minor)


@pytest.mark.parametrize("amount", ["min_send", "max_send", "min_get", "max_get"])
def test_the_bounds_themselves_are_taken(amount: str) -> None:
    bound = getattr(get_limits(pair="ETHLTC", at=NOW), amount)
    side = amount.removeprefix("min_").removeprefix("max_")

    assert accept(make_quote(pair="ETHLTC", at=NOW, **{side: bound.format()}))


def test_a_market_that_moved_too_far_meanwhile_asks_again() -> None:
    quote = honest()
    MarketState.objects.filter(market="ETH-USD").update(bid=Decimal(2600), ask=Decimal(2600))
    forget_all()

    with pytest.raises(DomainError) as refused:
        accept(quote)

    assert refused.value.code == "quote_outdated"


def test_without_a_price_now_a_quote_of_before_opens_nothing() -> None:
    quote = honest()
    MarketState.objects.filter(market="ETH-USD").update(rate_at=NOW - timedelta(hours=1))
    forget_all()

    with pytest.raises(DomainError) as refused:
        accept(quote)

    assert refused.value.code == "rate_unavailable"


@pytest.mark.parametrize("salt", ["orders.quote.v1", "nexchange: what signs quotes"])
def test_what_secret_key_signs_is_no_quote(settings: Any, salt: str) -> None:
    facts = signing.loads(honest().token, key=quotes._key(), salt="orders.quote.v1")

    with pytest.raises(QuoteInvalid):
        read_quote(token=signing.dumps(facts, salt=salt, compress=True), at=NOW)


def test_a_key_of_its_own_signs_instead_and_ends_what_was_signed_before(settings: Any) -> None:
    before = honest().token
    settings.QUOTE_KEY = "of quotes alone"
    after = honest().token

    with pytest.raises(QuoteInvalid):
        read_quote(token=before, at=NOW)
    settings.SECRET_KEY = "another"
    assert read_quote(token=after, at=NOW)


def test_keys_that_secret_key_had_before_sign_nothing(settings: Any) -> None:
    before = honest().token
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"

    with pytest.raises(QuoteInvalid):
        read_quote(token=before, at=NOW)
