from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.wire import BodyInvalid, dump, load

numbers = st.integers(-(10**30), 10**30) | st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=18
)
values = st.recursive(
    st.none() | st.booleans() | st.text() | numbers,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
def test_what_is_written_reads_back_the_same(value):
    assert load(dump(value).encode()) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0.1"), "0.1"),
        (Decimal("1.10"), "1.1"),
        (Decimal(100), "100"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-18"), "0.000000000000000001"),
        (Decimal("0.30000000000000004"), "0.30000000000000004"),
        (10**25 + 1, "10000000000000000000000001"),
    ],
)
def test_writes_every_digit_of_a_number(value, text):
    assert dump(value) == text


@pytest.mark.parametrize("value", [0.1, Decimal("NaN"), Decimal("Infinity"), object(), {1}, b"x"])
def test_refuses_to_write_what_is_not_exact(value):
    with pytest.raises(TypeError):
        dump({"value": [value]})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e400}',
        b'{"a": -1E+99999}',
        b'{"a": 1e-400}',
        b"9" * 5000,
        b"1." + b"1" * 100,
        b"\xff",
        b"[" * 100_000,
        b'{"a": "\\ud800',
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-32-le"),
        b"\xef\xbb\xbf{}",
        ('["\u2200",' + "[" * 4000).encode("utf-16-le"),  # read byte by byte, its brackets stand in a string
    ],
)
def test_refuses_to_read_what_is_not_plain_json(body):
    with pytest.raises(BodyInvalid):
        load(body)
