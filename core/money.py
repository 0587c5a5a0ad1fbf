"""Amounts: integers in an asset's smallest unit, never mixed between assets, never a float.

Parsing of what people type and printing of what they read live here too; prices and fees are plain Decimals elsewhere.
"""

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Self

from django.utils.translation import gettext_lazy as _

from core.errors import DomainError

if TYPE_CHECKING:
    from core.models import Asset  # adapters handle money without Django; anything with these fields serves

# 38 digits is what the database column holds (NUMERIC(38)); 80 leaves room for one exact product of two such numbers.
EXACT = Context(prec=80)
MAX_MINOR = 10**38 - 1

# ASCII digits only: "１２" or "٣" would pass str.isdigit() and Decimal(). No exponent: "1e400" is not an amount.
_AMOUNT = re.compile(r"[0-9]{1,38}(\.[0-9]{1,30})?", re.ASCII)
_MAX_EXPONENT = 60  # writing out Decimal("1e999999999") would take a gigabyte


class AmountInvalid(DomainError):
    code = "amount_invalid"
    message = _("“%(value)s” is not an amount. Use digits and one decimal point, for example 1.25.")


class AmountTooPrecise(DomainError):
    code = "amount_too_precise"
    message = _("%(asset)s has at most %(places)s decimal places.")


class AssetMismatch(TypeError):
    """Raised when amounts of two assets meet: always a bug, never a user's mistake."""


@dataclass(frozen=True, slots=True)
class Money:
    """`minor` units (satoshi, wei, cent) of `asset`. Same-asset arithmetic only; a float raises TypeError."""

    minor: int
    asset: "Asset"

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"Money takes an int in minor units, not {type(self.minor).__name__}")
        if abs(self.minor) > MAX_MINOR:
            raise OverflowError("Money does not fit into 38 digits")

    def _same(self, other: "Money") -> int:
        if not isinstance(other, Money):
            raise TypeError(f"Money meets {type(other).__name__}")
        if other.asset.code != self.asset.code:
            raise AssetMismatch(f"{self.asset.code} meets {other.asset.code}")
        return other.minor

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.asset)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.asset)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.asset)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.minor >= self._same(other)

    def __bool__(self) -> bool:
        raise TypeError("ask money.minor, not the truth of Money")

    @classmethod
    def parse(cls, text: str | Decimal, asset: "Asset", *, field: str | None = None) -> Self:
        """Read a decimal amount of whole coins as a person or a client writes it.

        Raises: AmountInvalid (not a plain non-negative decimal number), AmountTooPrecise (more places than the asset).
        """
        if isinstance(text, Decimal):
            plain = text.is_finite() and abs(text.adjusted()) <= _MAX_EXPONENT
            text = format(text, "f") if plain else str(text)
        if not isinstance(text, str) or not _AMOUNT.fullmatch(text.strip()):
            raise AmountInvalid(value=str(text)[:40], field=field)
        scaled = Decimal(text.strip()).scaleb(asset.scale, context=EXACT)
        if scaled != scaled.to_integral_value():
            raise AmountTooPrecise(asset=asset.code, places=asset.scale, field=field)
        if scaled > MAX_MINOR:
            raise AmountInvalid(value=text[:40], field=field)
        return cls(int(scaled), asset)

    def to_decimal(self) -> Decimal:
        """Return the amount in whole coins, exactly."""
        return Decimal(self.minor).scaleb(-self.asset.scale, context=EXACT)

    def format(self) -> str:
        """Return the amount in whole coins as plain digits without trailing zeros: `1.25`, `0.00000001`, `3`."""
        text = format(self.to_decimal(), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text

    def __str__(self) -> str:
        return f"{self.format()} {self.asset.code}"

    def times_floor(self, factor: Fraction, into: "Asset", *, step: int | None = None) -> "Money":
        """Convert by `factor` (minor units of `into` per own minor unit), rounded down to `step`: what we give."""
        return Money(_down_to_step(Fraction(self.minor) * factor, step or into.quote_step), into)


def _down_to_step(exact: Fraction, step: int) -> int:
    if not isinstance(exact, Fraction):
        raise TypeError(f"a factor must be a Fraction; the product became {type(exact).__name__}")
    units = exact / step
    return units.numerator // units.denominator * step


def minor_factor(rate: Decimal, *, source: "Asset", target: "Asset") -> Fraction:
    """Turn a rate in whole coins (target per source) into minor units of target per minor unit of source, exactly."""
    if not isinstance(rate, Decimal):
        raise TypeError(f"a rate must be a Decimal, not {type(rate).__name__}")
    return Fraction(rate) * Fraction(10) ** (target.scale - source.scale)


def round_rate(rate: Fraction, *, up: bool, digits: int = 12) -> Decimal:
    """Cut a rate to `digits` significant digits in the house's favour; what is stored is what is used."""
    context = Context(prec=digits, rounding=ROUND_CEILING if up else ROUND_FLOOR)
    return context.divide(Decimal(rate.numerator), Decimal(rate.denominator))
