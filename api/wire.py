"""JSON in and out without binary fractions: numbers are read as int or Decimal and written digit by digit.

The standard encoder cannot write a Decimal as a JSON number and would turn it into a float first; this one does not.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from json.encoder import encode_basestring_ascii
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from core.errors import DomainError
from core.foreign import TooDeep, read_json

MAX_NUMBER_DIGITS = 60


class BodyInvalid(DomainError):
    code = "body_invalid"
    message = _("The body is not valid JSON: %(reason)s.")


class Written(str):
    """JSON that was written before, by `dump`: it is put in as it stands."""

    __slots__ = ()


def dump(value: Any) -> str:  # noqa: PLR0911 -- one line for each kind of value
    """Write `value` as JSON. Raises: TypeError for a float, a Decimal that is not finite, or anything not JSON."""
    if isinstance(value, str):
        return value if isinstance(value, Written) else encode_basestring_ascii(value)
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{encode_basestring_ascii(key)}:{dump(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(dump, value)) + "]"
    if isinstance(value, Promise):
        return encode_basestring_ascii(str(value))
    raise TypeError(f"{type(value).__name__} has no JSON form here")


def _number(value: Decimal) -> str:
    if not value.is_finite():
        raise TypeError("a Decimal that is not finite has no JSON form")
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def load(body: bytes) -> Any:
    """Read JSON; fractions as Decimal. Raises: BodyInvalid for anything malformed, NaN, Infinity or endless digits."""
    try:
        return read_json(body, depth=20, parse_float=_fraction, parse_int=_integer, parse_constant=_refuse)
    except TooDeep:
        raise BodyInvalid(reason="it is nested too deeply") from None
    except UnicodeDecodeError:
        raise BodyInvalid(reason="it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise BodyInvalid(reason=f"{error.msg}, line {error.lineno} column {error.colno}") from None


def _fraction(text: str) -> Decimal:
    number = Decimal(text)
    # 1e400 fits a Decimal, but as plain digits it would be 400 of them; no amount is written like that.
    if len(text) > MAX_NUMBER_DIGITS or abs(number.adjusted()) > MAX_NUMBER_DIGITS:
        raise BodyInvalid(reason=f"the number {text[:20]} is out of range")
    return number


def _integer(text: str) -> int:
    if len(text) > MAX_NUMBER_DIGITS:
        raise BodyInvalid(reason=f"the number {text[:20]} is out of range")
    return int(text)


def _refuse(name: str) -> Any:
    raise BodyInvalid(reason=f"{name} is not a number")


class JSONRenderer(BaseRenderer):
    """What every answer of the API is written with."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        """Return the bytes of `data`; nothing for an answer without a body."""
        return b"" if data is None else dump(data).encode()


class JSONParser(BaseParser):
    """What every JSON body is read with."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Return the body as Python values. Raises: BodyInvalid."""
        return load(stream.read())
