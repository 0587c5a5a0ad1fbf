"""The contract of every price venue: what it is asked, what it answers, how it fails.

A new venue is one module with one class that fulfils `Source`, a line in `ticker.sources.registry`, an address in the
settings and its symbols in fixtures/markets.json.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Protocol

from core.foreign import clean_text
from core.http import HTTPClient, HTTPFailure

MAX_ANSWER_BYTES = 64 * 1024  # the largest honest answer is some 20 kB
# Binance answers 418 to who goes on after 429.
RATE_LIMITED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.IM_A_TEAPOT)
SHUT_OUT = (HTTPStatus.FORBIDDEN, HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS)


@dataclass(frozen=True, slots=True)
class Listing:
    """How a venue names a market, and the currency it quotes it in."""

    market: str
    symbol: str
    quote: str


@dataclass(frozen=True, slots=True)
class SourceQuote:
    """What a venue said, unjudged: bid and ask may be zero, negative or absurd.

    `venue_at` is the venue's own time. A venue without one gives a `fingerprint` of its answer instead, which changes
    whenever anything in the answer does.
    """

    market: str
    quote: str
    bid: Decimal
    ask: Decimal
    venue_at: datetime | None
    fingerprint: str = ""


class SourceError(Exception):
    """No usable answer of a venue for a market. `whole` says that asking it for other markets now is pointless.

    `reason` may quote the venue: it is cleaned here, where every reason passes.
    """

    def __init__(self, code: str, reason: str, *, whole: bool = False) -> None:
        self.code, self.reason, self.whole = code, clean_text(reason, most=160), whole
        super().__init__(f"{code}: {self.reason}")


Answer = SourceQuote | SourceError


class Source(Protocol):
    name: str

    def fetch(self, listings: Sequence[Listing]) -> list[Answer]:
        """Return one answer per listing, in their order. Raises nothing that a venue's behaviour can cause."""
        ...


def open_client() -> HTTPClient:
    """Return a client with the limits of a price call: seconds and kilobytes, not minutes and megabytes."""
    return HTTPClient(timeout_s=(3, 4), max_bytes=MAX_ANSWER_BYTES)


def ask(client: HTTPClient, url: str, params: dict[str, str] | None = None) -> Any:
    """GET JSON from a venue. Raises: SourceError."""
    try:
        return client.get_json(url, params)
    except HTTPFailure as failure:
        raise name_failure(failure) from failure


def name_failure(failure: HTTPFailure) -> SourceError:
    """Turn a transport failure into the code that the table of observations shows."""
    reason, cause = str(failure), str(failure.__cause__ or "")
    if failure.status in RATE_LIMITED:
        return SourceError("rate_limited", reason, whole=True)
    if failure.status is not None and failure.status != HTTPStatus.OK:
        whole = failure.status >= HTTPStatus.INTERNAL_SERVER_ERROR or failure.status in SHUT_OUT
        return SourceError("http_error", reason, whole=whole)
    if reason.startswith("answer over"):
        return SourceError("too_large", reason, whole=True)
    if reason == "not JSON":
        return SourceError("not_json", reason)
    if "timed out" in reason or "timed out" in cause or "Timeout" in reason:
        return SourceError("timeout", reason, whole=True)
    return SourceError("unreachable", reason, whole=True)


def ask_each(listings: Sequence[Listing], ask_one: Callable[[Listing], SourceQuote]) -> list[Answer]:
    """Ask for one listing after the other; after a failure of the venue as a whole the rest is not asked."""
    answers: list[Answer] = []
    gone: SourceError | None = None
    for listing in listings:
        if gone:
            answers.append(gone)
            continue
        try:
            answers.append(ask_one(listing))
        except SourceError as error:
            answers.append(error)
            gone = error if error.whole else None
        except Exception as error:  # noqa: BLE001 -- what nobody foresaw in one answer must not cost the venue's others
            answers.append(SourceError("source_broken", f"{type(error).__name__}: {error}"))
    return answers
