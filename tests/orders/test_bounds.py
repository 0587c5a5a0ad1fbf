"""Between which amounts a pair is exchanged: at the least and the most of either side, one step below and one above."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from core.errors import DomainError
from core.money import Money
from core.snapshot import forget_all
from orders.facts import read_facts
from orders.offer import Limits, Offer, find_pair, get_offer, offer_of
from orders.pricing import price_get, price_send
from orders.quotes import default_amount, price_amount
from tests.orders.conftest import NOW
from ticker.models import MarketState

pytestmark = pytest.mark.usefixtures("site")
# the bound, a step of the asset below, at or above it, and the refusal
EDGES = [
    ("min_send", -1, "amount_below_minimum"),
    ("min_send", 0, ""),
    ("min_send", 1, ""),
    ("max_send", -1, ""),
    ("max_send", 0, ""),
    ("max_send", 1, "amount_above_maximum"),
    ("min_get", -1, "amount_below_minimum"),
    ("min_get", 0, ""),
    ("min_get", 1, ""),
    ("max_get", -1, ""),
    ("max_get", 0, ""),
    ("max_get", 1, "amount_above_maximum"),
]


def offered(pair: str, **changes: Any) -> Offer:
    """Return the offer of a pair when the asset that is paid out stands as `changes` say."""
    facts, found = read_facts(), find_pair(pair)
    side = replace(facts.sides[found.base_id], **changes)
    return offer_of(found, replace(facts, sides={**facts.sides, found.base_id: side}), at=NOW)


@pytest.mark.parametrize("pair", ["ETHLTC", "LTCETH"])
@pytest.mark.parametrize(("bound", "steps", "code"), EDGES)
def test_an_amount_at_a_bound_is_priced_and_a_step_beyond_it_is_refused(
    pair: str, bound: str, steps: int, code: str
) -> None:
    offer, side = offered(pair), bound.partition("_")[2]
    edge: Money = getattr(offer.limits, bound)
    asked = Money(edge.minor + steps * edge.asset.quote_step, edge.asset)
    if code:
        with pytest.raises(DomainError) as refusal:
            price_amount(offer, at=NOW, **{side: asked.format()})
        assert (refusal.value.code, refusal.value.field) == (code, side)
    else:
        assert getattr(price_amount(offer, at=NOW, **{side: asked.format()}), side) == asked


# what LTC and ETH cost in dollars: which of the two assets' own bounds is reached first
PRICES = [("80", "2500"), ("130", "2500"), ("100", "2500"), ("99.99", "2500.01"), ("33.33", "4777"), ("800", "900.7")]


@pytest.mark.parametrize(("ltc", "eth"), PRICES)
@pytest.mark.parametrize("pair", ["ETHLTC", "LTCETH"])
def test_what_is_within_the_bounds_of_one_side_is_within_those_of_both(pair: str, ltc: str, eth: str) -> None:
    """An order is refused when either amount is beyond its asset's own bounds, so none beyond them may be quoted."""
    for market, price in (("LTC-USD", ltc), ("ETH-USD", eth)):
        MarketState.objects.filter(market=market).update(bid=Decimal(price), ask=Decimal(price))
    forget_all()
    offer = offered(pair)
    limits, terms = offer.limits, offer.terms
    priced = [price_send(send, terms) for send in (limits.min_send, limits.max_send)]
    priced += [price_get(get, terms) for get in (limits.min_get, limits.max_get)]
    for amount in [amount for each in priced for amount in (each.send, each.get)]:
        assert amount.asset.minimum_minor <= amount.minor <= amount.asset.maximum_minor
    for each in (priced[1], priced[3]):
        assert each.get.minor <= offer.room.most_get


def at_least(limits: Limits) -> tuple[bool, bool]:
    """Say whether the least of each side is its asset's own."""
    return (
        limits.min_send.minor == limits.min_send.asset.minimum_minor,
        limits.min_get.minor == limits.min_get.asset.minimum_minor,
    )


@pytest.mark.parametrize("pair", ["ETHLTC", "LTCETH"])
def test_one_side_bounds_the_other_at_each_end(pair: str) -> None:
    """The least is one asset's own least, on one side; the other side's follows from it by the price."""
    offer = offered(pair)
    limits, terms = offer.limits, offer.terms

    assert any(at_least(limits))
    assert limits.min_send == max(
        Money(terms.send_asset.minimum_minor, terms.send_asset),
        price_get(Money(terms.get_asset.minimum_minor, terms.get_asset), terms).send,
    )
    assert price_send(limits.min_send, terms).get <= limits.min_get


# what is free of ETH beyond the fee cap, in steps of 10^10 wei above its least, and whether anything can be exchanged
RESERVES = [(-1, False), (0, True), (1, True)]


@pytest.mark.parametrize(("steps", "is_open"), RESERVES)
def test_a_pair_closes_when_our_coins_are_a_unit_short_of_the_least(steps: int, is_open: bool) -> None:
    whole = offered("ETHLTC")
    least, cap = whole.limits.min_get, whole.terms.fee_cap
    # What is promisable is far more than what is free: other promises hold the rest.
    offer = offered("ETHLTC", free=least.minor + cap.minor + steps, unfunded=0)
    assert offer.room.coins == least.minor + cap.minor + steps
    room = replace(offer.room, large=10**30, small=10**30)

    assert (room.most_get >= least.minor) is is_open
    if is_open:
        room.refuse(least.minor)
    else:
        with pytest.raises(DomainError) as refusal:
            room.refuse(least.minor)
        assert refusal.value.code == "liquidity_short"


def test_a_closed_pair_says_why_before_it_looks_at_the_amount() -> None:
    offer = offered("ETHLTC", free=0)

    assert offer.limits.closed
    assert not offer.open
    with pytest.raises(DomainError) as refusal:
        price_amount(offer, send="2", at=NOW)
    assert refusal.value.code == "liquidity_short"


@pytest.mark.parametrize(
    ("minimum", "maximum", "shown"), [(7, 100, 70), (7, 70, 70), (7, 69, 69), (7, 6, 7), (10, 1_000, 100)]
)
def test_a_price_without_an_amount_is_that_of_ten_times_the_least_if_it_is_allowed(
    minimum: int, maximum: int, shown: int
) -> None:
    offer = get_offer("ETHLTC", at=NOW)
    send = offer.terms.send_asset
    limits = replace(offer.limits, min_send=Money(minimum, send), max_send=Money(maximum, send))

    assert default_amount(limits, offer.terms) == Money(shown, send)
