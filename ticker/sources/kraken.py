"""Kraken: all markets in one call, errors inside a 200, no time of its own (https://docs.kraken.com/api/)."""

import hashlib
from collections.abc import Sequence
from typing import Any

from ticker.sources.protocol import Answer, Listing, SourceError, SourceQuote, ask, ask_each, open_client
from ticker.sources.reading import read_field, read_item, read_price


class Kraken:
    """Symbols are the names under which Kraken answers (XXBTZUSD), which it also takes in the question."""

    name = "kraken"

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def fetch(self, listings: Sequence[Listing]) -> list[Answer]:
        """See `Source.fetch`."""
        try:
            tickers = self._ask(listings)
        except SourceError as error:
            return [error for _ in listings]
        return ask_each(listings, lambda listing: _read(listing, tickers))

    def _ask(self, listings: Sequence[Listing]) -> Any:
        pairs = ",".join(listing.symbol for listing in listings)
        answer = ask(open_client(), f"{self.base_url}/0/public/Ticker", {"pair": pairs})
        errors = read_field(answer, "error")
        if errors:
            limited = "limit" in str(errors).lower()
            raise SourceError("rate_limited" if limited else "venue_error", str(errors), whole=True)
        return read_field(answer, "result")


def _read(listing: Listing, tickers: Any) -> SourceQuote:
    ticker = read_field(tickers, listing.symbol)
    parts = [read_field(ticker, key) for key in ("a", "b", "c", "v")]
    return SourceQuote(
        market=listing.market,
        quote=listing.quote,
        bid=read_price(read_item(parts[1], 0)),
        ask=read_price(read_item(parts[0], 0)),
        venue_at=None,
        fingerprint=hashlib.sha256(repr(parts).encode()).hexdigest()[:32],
    )
