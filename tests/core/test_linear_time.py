"""Whatever meets foreign bytes takes time in proportion to their number: each parser at its largest input and at half.

The ratio is looked at, not the time: 2 is linear, 4 is quadratic. What takes no time worth measuring passes.
"""

import contextlib
import time
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import QueryDict
from django.http.multipartparser import MultiPartParserError
from django.test import RequestFactory
from django.utils.translation import get_language_from_request
from hypothesis import given
from hypothesis import strategies as st

from api.middleware import _API
from api.resource import _read_bearer
from api.v1.amounts import read_amount
from api.v1.orders import _KEY, _UUID
from api.wire import load
from core.client import client_network
from core.clock import now
from core.errors import DomainError
from core.foreign import clean_text
from core.http import HTTPFailure, parse_json
from core.money import Money
from core.nesting import is_too_deep
from core.references import read_reference
from orders.quotes import read_quote
from ticker.sources.protocol import MAX_ANSWER_BYTES, SourceError
from ticker.sources.reading import read_iso, read_price, read_seconds
from wallets.address_rules import check_address
from website.intake import PagesMiddleware
from website.quote import typed_amount

MEASURABLE_S = 0.010
PIECES = (
    *('"', '\\"', "\\", "\\\\", '"a",', '":', "[", "[]", "{}", "\\u0041", "\n", "\t", " ", "\x00", "\ud800", "é"),
    *("1", "1.", "1,", "0", "-", "%", "%41", "&", "a=", "=", ";", ",", "a@", "?", "ltc1", "L", "0x", "z"),
)
ETH = SimpleNamespace(code="ETH", scale=18, quote_step=10**10)
LINE = 8190  # gunicorn's limit_request_field_size and limit_request_line, and nginx's large_client_header_buffers
KIND = {"form": "application/x-www-form-urlencoded", "multipart": "multipart/form-data; boundary=x"}


def request(**meta):
    made = RequestFactory().get("/en/")
    made.META.update(meta)
    return made


def read_form(kind):
    def read(text):
        body = text.encode(errors="replace")
        if kind == "multipart":
            body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + body
        sent = RequestFactory().post("/en/order/", body, content_type=KIND[kind])
        return sent.POST

    return read


def read_cookies(text):
    seen = request(HTTP_COOKIE=f'a="{text}"')
    PagesMiddleware(lambda passed: passed.COOKIES)(seen)


def read_language(text):
    cookie = request(HTTP_COOKIE=f"django_language={text}".replace("\\", ""), HTTP_ACCEPT_LANGUAGE=text)
    get_language_from_request(cookie)


# Reader, the most characters that reach it. Answers of nodes may have 64 MB; 256 kB tell as much about the shape.
BODY, NODE = settings.DATA_UPLOAD_MAX_MEMORY_SIZE, 2**18
READERS = {
    "nesting": (lambda text: is_too_deep(text.encode(errors="replace")), NODE),
    "an answer of a node": (parse_json, NODE),
    "an answer of a venue": (lambda text: parse_json(text.encode(errors="replace")), MAX_ANSWER_BYTES),
    "a body of the API": (lambda text: load(text.encode(errors="replace")), BODY),
    "a form": (read_form("form"), BODY),
    "a form in parts": (read_form("multipart"), BODY),
    "a query": (QueryDict, LINE),
    "cookies": (read_cookies, LINE),
    "languages": (read_language, LINE),
    "forwarded for": (lambda text: client_network(request(HTTP_X_FORWARDED_FOR=text)), LINE),
    "a bearer": (lambda text: _read_bearer(request(HTTP_AUTHORIZATION=text)), LINE),
    "an idempotency key": (lambda text: (_UUID.fullmatch(text), _KEY.fullmatch(text)), LINE),
    "a path of the API": (lambda text: _API.match(f"/{text}"), LINE),
    "a reference": (lambda text: read_reference(text, "O"), LINE),
    "an amount": (lambda text: Money.parse(text, ETH), BODY),
    "an amount of version 1": (lambda text: read_amount(text, "amount_base"), BODY),
    "a typed amount": (typed_amount, BODY),
    "an address of litecoin": (lambda text: check_address("litecoin", "main", text), BODY),
    "an address of ethereum": (lambda text: check_address("ethereum", "main", text), BODY),
    "a quote": (lambda text: read_quote(token=text, at=now()), BODY),
    "a price of a venue": (read_price, MAX_ANSWER_BYTES),
    "seconds of a venue": (read_seconds, MAX_ANSWER_BYTES),
    "a time of a venue": (read_iso, MAX_ANSWER_BYTES),
    "foreign text": (clean_text, NODE),
    "foreign text, all of it": (lambda text: clean_text(text, most=NODE), NODE),
}
REFUSALS = (
    *(DomainError, HTTPFailure, SourceError, ValueError, ArithmeticError),
    *(BadRequest, SuspiciousOperation, MultiPartParserError),
)


def seconds(read, text):
    began = time.thread_time()  # of the processor: a busy machine interrupts the longer of two runs more often
    with contextlib.suppress(*REFUSALS):
        read(text)
    return time.thread_time() - began


def growth(read, before, piece, most):
    """Return how much longer the whole takes than half of it: the least of several tries of each, taken in turn."""
    half, whole = (before + piece * (most // parts // len(piece)) for parts in (2, 1))
    least = [9.0, 9.0]
    for _ in range(40):  # on a busy machine; what is linear is done after one
        least = [min(kept, seconds(read, text)) for kept, text in zip(least, (half, whole), strict=True)]
        if least[1] < MEASURABLE_S or least[1] < 3 * least[0]:
            return 0.0
    return least[1] / least[0]


@pytest.mark.parametrize("name", READERS)
def test_takes_no_more_than_twice_as_long_for_twice_as_much(name):
    read, most = READERS[name]

    slow = {(before, piece): growth(read, before, piece, most) for piece in PIECES for before in ("", '"')}

    assert not {piece: ratio for piece, ratio in slow.items() if ratio}


def slow_is_too_deep(body, limit):
    """The same question, asked of one character after the other."""
    depth, inside, escaped = 0, False, False
    for mark in body:
        if escaped:
            escaped = False
        elif mark == "\\":
            if not inside:
                return None  # no JSON
            escaped = True
        elif mark == '"':
            inside = not inside
        elif not inside:
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark, 0)
            if depth > limit:
                return True
    return False


@given(st.text(alphabet='[]{}"\\a,é', max_size=60))
def test_counts_depth_as_one_who_reads_letter_by_letter(text):
    expected = slow_is_too_deep(text, 2)
    assert expected is None or is_too_deep(text.encode(), limit=2) is expected
