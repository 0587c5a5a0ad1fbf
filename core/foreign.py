"""The one gate for what others wrote: JSON that cannot hurt the reader, and text that any column can hold.

Venues, nodes and callers write what they like. JSON is UTF-8 and nothing else, of bounded depth, with bounded numbers;
text that is to be stored or shown has no NUL, no half characters and a greatest length. All of it takes time
proportional to its length; tests/core/test_linear_time.py measures that.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from core.nesting import MAX_DEPTH, is_too_deep

MAX_TEXT = 200
_UNWANTED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


class TooDeep(ValueError):
    """JSON that is nested deeper than anything we are told."""


def read_json(
    body: bytes | str,
    *,
    depth: int = MAX_DEPTH,
    parse_float: Callable[[str], Any] | None = None,
    parse_int: Callable[[str], Any] | None = None,
    parse_constant: Callable[[str], Any] | None = None,
) -> Any:
    """Parse JSON in UTF-8. Raises: TooDeep, UnicodeDecodeError, json.JSONDecodeError, and what the parsers raise.

    The standard reader guesses UTF-16 and UTF-32 as well, in which the bytes of a bracket or a quote mean nothing: depth
    could not be counted there, so they are refused.
    """
    # A text with half characters is the caller's own; the surrogates say nothing about depth.
    raw = body.encode(errors="replace") if isinstance(body, str) else body
    if is_too_deep(raw, limit=depth):
        raise TooDeep(f"nested more than {depth} deep")
    text = body if isinstance(body, str) else body.decode()
    return json.loads(text, parse_float=parse_float, parse_int=parse_int, parse_constant=parse_constant)


def clean_text(value: object, *, most: int = MAX_TEXT) -> str:
    """Return foreign text as a column, a log line and a page can hold it: at most `most` characters.

    Control characters (NUL among them), line breaks, marks that turn the direction of writing, half surrogates and
    non-characters become U+FFFD. Only the part that is kept is looked at, so a text of megabytes costs no more than a
    short one.
    """
    text = value if isinstance(value, str) else str(value)
    return _UNWANTED.sub("\N{REPLACEMENT CHARACTER}", text[:most])
