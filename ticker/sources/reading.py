"""Reading prices and instants out of a venue's JSON; everything unexpected is a SourceError that says what it was."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ticker.sources.protocol import SourceError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_DIGITS = 40
# ASCII digits only, and few: no venue quotes with more, and Decimal() would take other alphabets and "1e999999999".
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,16}", re.ASCII)


def read_field(answer: Any, key: str) -> Any:
    """Return `answer[key]` of a JSON object. Raises: SourceError."""
    if not isinstance(answer, dict):
        raise SourceError("wrong_shape", f"expected an object, got {type(answer).__name__}")
    if answer.get(key) is None:
        raise SourceError("missing_field", f"no “{key}” in the answer")
    return answer[key]


def read_item(answer: Any, index: int) -> Any:
    """Return `answer[index]` of a JSON array. Raises: SourceError."""
    if not isinstance(answer, list):
        raise SourceError("wrong_shape", f"expected a list, got {type(answer).__name__}")
    if len(answer) <= index:
        raise SourceError("missing_field", f"no item {index} in a list of {len(answer)}")
    return answer[index]


def read_price(value: Any) -> Decimal:
    """Return a price given as text or JSON number, in plain digits. Raises: SourceError("not_a_price")."""
    # Only a number of sane size is written out: format() would spend a gigabyte on 1e999999999.
    sane = isinstance(value, Decimal) and abs(value.adjusted()) < MAX_DIGITS
    text = format(value, "f") if sane else str(value)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal) or not _NUMBER.fullmatch(text):
        raise SourceError("not_a_price", f"“{text[:40]}” is not a price")
    return Decimal(text)


def read_seconds(value: Any) -> datetime:
    """Return the instant of whole seconds since 1970, as text or number. Raises: SourceError("not_a_time")."""
    return _since_1970(seconds=_read_whole(value))


def read_milliseconds(value: Any) -> datetime:
    """Return the instant of whole milliseconds since 1970. Raises: SourceError("not_a_time")."""
    return _since_1970(milliseconds=_read_whole(value))


def read_iso(value: Any) -> datetime:
    """Return the instant of an ISO 8601 text with its offset. Raises: SourceError("not_a_time")."""
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise SourceError("not_a_time", f"“{str(value)[:40]}” is not a time") from None
    if instant.tzinfo is None:
        raise SourceError("not_a_time", f"“{value[:40]}” has no offset")
    try:
        return instant.astimezone(UTC)
    except OverflowError:  # an hour before the year 1, or after 9999
        raise SourceError("not_a_time", f"“{value[:40]}” is outside the calendar") from None


def _since_1970(**passed: int) -> datetime:
    try:
        return EPOCH + timedelta(**passed)
    except OverflowError:
        raise SourceError("not_a_time", f"{passed} since 1970 is outside the calendar") from None


def _read_whole(value: Any) -> int:
    text = str(value)
    if isinstance(value, bool) or not _WHOLE.fullmatch(text):
        raise SourceError("not_a_time", f"“{text[:40]}” is not a time")
    return int(text)
