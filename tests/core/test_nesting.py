"""core.nesting: depth is counted outside strings, without recursion."""

import pytest

from core.nesting import is_too_deep


@pytest.mark.parametrize(
    ("body", "deep"),
    [
        (b"[" * 101, True),
        (b"[" * 100, False),
        (b'{"a":' * 101, True),
        (b"[]" * 10_000, False),
        (b'"' + b"[" * 500 + b'"', False),
        (b'"\\"' + b"[" * 500 + b'"', False),
        (b'"' + b"[" * 500, False),  # the parser ends in this string as well
        (b'["\\\\"' + b"[" * 500, True),
        (b'["\\\n"' + b"[" * 500, True),
        (b'["a","b"' + b"[" * 500, True),
        (b"[" * 10_000_000, True),
        (b"", False),
    ],
)
def test_counts_open_brackets_outside_strings(body, deep):
    assert is_too_deep(body) is deep
