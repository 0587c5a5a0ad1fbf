"""How amounts, rates and instants are written on the pages. Never used for arithmetic."""

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from django import template

from core.money import EXACT, Money
from orders.reasons import describe_reason
from website import wording

register = template.Library()
_DISPLAY = Context(prec=8, rounding=ROUND_HALF_EVEN)
_EIGHT_PLACES = Decimal("0.00000001")

register.filter("network_name", wording.network_name)
register.filter("event_name", describe_reason)
register.filter("payout_state", wording.payout_state)
register.filter("deposit_state", wording.deposit_state)
register.filter("why_waiting", wording.why_waiting)
register.filter("what_then", wording.what_then)


@register.filter
def plain(money: Money) -> str:
    """Write an amount without its asset: what a copy button copies and a field holds."""
    return money.format()


@register.filter
def rounded(money: Money) -> str:
    """Write an amount that nobody types or compares, a fee, with at most eight places."""
    return f"{_trim(money.to_decimal().quantize(_EIGHT_PLACES, context=EXACT))} {money.asset.code}"


@register.filter
def rate(value: Decimal) -> str:
    """Write a rate with eight significant digits and no trailing zeros."""
    return _trim(_DISPLAY.plus(value))


def _trim(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@register.filter
def percent(bps: int) -> str:
    """Write basis points as per cent: 50 becomes 0.5."""
    return rate(Decimal(bps) / 100)


@register.filter
def instant(at: datetime) -> str:
    """Write an instant for machines: a script counts down to it."""
    return at.isoformat()


@register.filter
def grouped(text: str) -> list[str]:
    """Cut an address or a transaction id into groups of four characters, which people can compare."""
    return [text[start : start + 4] for start in range(0, len(text), 4)]


@register.filter
def shortened(text: str) -> str:
    """Write the two ends of a long identifier."""
    return text if len(text) <= 20 else f"{text[:10]}…{text[-8:]}"  # noqa: PLR2004 -- fits a phone


@register.filter
def under(values: dict[str, str], key: str) -> str:
    """Look a message up by its key; nothing when there is none."""
    return (values or {}).get(key, "")
