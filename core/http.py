"""The only door to HTTP: a `requests` session with time-outs, a size limit and JSON read with Decimals.

Used by price sources and chain nodes. Retrying is the caller's business: it knows what may be sent twice.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests
import urllib3

from core.foreign import read_json

MAX_BYTES = 64 * 1024 * 1024


class HTTPFailure(Exception):
    """No usable answer. `status` is the HTTP status if there was one; `sent` says whether the request may have arrived."""

    def __init__(self, reason: str, *, status: int | None = None, sent: bool = True, body: bytes = b"") -> None:
        super().__init__(reason)
        self.status, self.sent, self.body = status, sent, body


class AnswerTooLarge(HTTPFailure):
    """The answer is longer than the client takes; the rest of it was not read."""


@dataclass(frozen=True, slots=True)
class HTTPAnswer:
    """What a service answered, whatever the status. Header names ignore case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's JSON, numbers as Decimal. Raises: HTTPFailure."""
        return parse_json(self.body)


class HTTPClient:
    """A kept-alive session against one service. Not shared between threads or forked processes."""

    def __init__(self, *, timeout_s: tuple[int, int] = (3, 10), max_bytes: int = MAX_BYTES, auth: Any = None) -> None:
        self.timeout_s, self.max_bytes = timeout_s, max_bytes
        self.session = requests.Session()
        self.session.auth = auth
        self.session.trust_env = False  # no .netrc, no proxy from the environment for nodes on loopback
        self.session.headers["User-Agent"] = "nexchange"

    def get_json(self, url: str, params: dict[str, str] | None = None) -> Any:
        """GET `url` and return its JSON, numbers as Decimal. Raises: HTTPFailure."""
        return self._json(self._send("GET", url, params=params))

    def get_bytes(self, url: str, params: dict[str, str] | None = None) -> bytes:
        """GET `url` and return the body. Raises: HTTPFailure."""
        return self._send("GET", url, params=params)

    def post_json(self, url: str, payload: Any) -> Any:
        """POST JSON and return the JSON of the answer, also of an error status that carries JSON. Raises: HTTPFailure."""
        try:
            return self._json(self._send("POST", url, json=payload))
        except HTTPFailure as failure:
            if failure.status is not None and failure.body[:1] in (b"{", b"["):
                return self._json(failure.body)
            raise

    def ask(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        payload: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HTTPAnswer:
        """Send one request, cookies included, and return the answer as it is: no redirect followed, no status judged.

        `payload` goes out as JSON, `form` as a browser sends one. Raises: HTTPFailure when there is no answer.
        """
        return self._exchange(method, url, params=params, json=payload, data=form, headers=headers)

    def _send(self, method: str, url: str, **options: Any) -> bytes:
        answer = self._exchange(method, url, **options)
        if answer.status != requests.codes.ok:
            raise HTTPFailure(f"HTTP {answer.status}", status=answer.status, body=answer.body)
        return answer.body

    def _exchange(self, method: str, url: str, **options: Any) -> HTTPAnswer:
        until_ns = time.monotonic_ns() + 2 * sum(self.timeout_s) * 10**9
        try:
            with self.session.request(
                method, url, timeout=self.timeout_s, stream=True, allow_redirects=False, **options
            ) as answer:
                body = self._read(answer, until_ns=until_ns)
        except requests.ConnectTimeout as error:
            raise HTTPFailure("connect timed out", sent=False) from error
        except requests.RequestException as error:
            sent = not isinstance(error, requests.ConnectionError) or "refused" not in str(error)
            raise HTTPFailure(type(error).__name__, sent=sent) from error
        except urllib3.exceptions.HTTPError as error:  # while reading the body
            raise HTTPFailure(type(error).__name__) from error
        return HTTPAnswer(answer.status_code, answer.headers, body)

    def _read(self, answer: requests.Response, *, until_ns: int) -> bytes:
        """Read the body as it comes: a server that drips bytes passes every single time-out, so the whole has one too."""
        body = bytearray()
        while chunk := answer.raw.read1(65536, decode_content=True):
            body += chunk
            if len(body) > self.max_bytes:
                raise AnswerTooLarge(f"answer over {self.max_bytes} bytes", status=answer.status_code)
            if time.monotonic_ns() > until_ns:
                raise HTTPFailure("answer takes too long", status=answer.status_code)
        return bytes(body)

    @staticmethod
    def _json(body: bytes) -> Any:
        return parse_json(body)


def parse_json(body: bytes | str) -> Any:
    """Parse JSON with every non-integer number as Decimal; NaN and Infinity are refused. Raises: HTTPFailure."""
    try:
        return read_json(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, ArithmeticError) as error:  # Decimal("1e9999999999999999999") is arithmetic
        raise HTTPFailure("not JSON") from error  # to the reader it is no more than noise


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
