"""How version 1 writes and reads amounts and instants: strings of 8 places, numbers, and 0 for "not given"."""

from datetime import UTC, datetime
from decimal import ROUND_DOWN, Context, Decimal
from typing import Any

from django.utils.translation import gettext as _

from api.errors import FieldInvalid
from core.money import EXACT, Money

_PLACES = Decimal(1).scaleb(-8)
_SHOWN = Context(prec=12)  # significant digits of a computed number


def eight(value: Money | Decimal) -> str:
    """Write an amount as a string with 8 places; what is smaller is cut off."""
    exact = value.to_decimal() if isinstance(value, Money) else value
    return format(exact.quantize(_PLACES, rounding=ROUND_DOWN, context=EXACT), "f")


def number(value: Money | Decimal) -> Decimal:
    """Return an amount or a rate for a computed field, rounded to 12 significant digits: shown, never reckoned with."""
    return _SHOWN.plus(value.to_decimal() if isinstance(value, Money) else value)


def exact_number(value: Money) -> Decimal:
    """Return an amount for a computed field with all its digits: what is to be paid must not be rounded."""
    return value.to_decimal()


def fraction(bps: int) -> Decimal:
    """Return basis points as a fraction: 50 is 0.005."""
    return Decimal(bps).scaleb(-4)


def instant(at: datetime) -> str:
    """Write an instant as ISO 8601 in UTC, ending in Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_amount(value: Any, field: str) -> str | None:
    """Return an amount as text, or None where version 1 means "not given": null, nothing, `undefined`, or a zero.

    What the text says is checked by core.money. Raises: FieldInvalid when it is neither text nor a number.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise FieldInvalid(_("%(name)s must be a number."), field=field, name=field)
    text = (value if isinstance(value, str) else format(Decimal(value), "f")).strip()
    if text in ("", "undefined", "null") or (text.isascii() and text.replace(".", "", 1).strip("0") == ""):
        return None if text != "." else text
    return text
