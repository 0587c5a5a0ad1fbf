"""Kraken: all markets in one call, errors inside a 200, no time of its own (https://docs.kraken.com/api/)."""

import hashlib
from collections.abc import Sequence
from typing import Any

from core.http import HTTPClient
from ticker.sources.protocol import Answer, Listing, SourceError, SourceQuote, ask, ask_each, open_client
from ticker.sources.reading import read_field, read_item, read_price

UNKNOWN_PAIR = "unknown_pair"


class Kraken:
    """Symbols are the names under which Kraken answers (XXBTZUSD), which it also takes in the question."""

    name = "kraken"

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def fetch(self, listings: Sequence[Listing]) -> list[Answer]:
        """See `Source.fetch`."""
        client = open_client()
        try:
            tickers = self._ask(client, listings)
        except SourceError as error:
            if error.code != UNKNOWN_PAIR or len(listings) == 1:
                return [error for _ in listings]
            # It does not say which one it no longer knows, and answers none of them: each is asked for by itself.
            return ask_each(listings, lambda listing: _read(listing, self._ask(client, [listing])))
        return ask_each(listings, lambda listing: _read(listing, tickers))

    def _ask(self, client: HTTPClient, listings: Sequence[Listing]) -> Any:
        pairs = ",".join(listing.symbol for listing in listings)
        answer = ask(client, f"{self.base_url}/0/public/Ticker", {"pair": pairs})
        errors = read_field(answer, "error")
        if errors:
            said = str(errors)
            if "unknown asset pair" in said.lower():
                raise SourceError(UNKNOWN_PAIR, said)
            raise SourceError("rate_limited" if "limit" in said.lower() else "venue_error", said, whole=True)
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
