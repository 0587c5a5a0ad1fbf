"""Binance: one call per symbol, quoted in USDT, its time in milliseconds (https://developers.binance.com/docs/)."""

from collections.abc import Sequence

from ticker.sources.protocol import Answer, Listing, SourceError, SourceQuote, ask, ask_each, open_client
from ticker.sources.reading import read_field, read_milliseconds, read_price


class Binance:
    """Symbols are upper-case pairs: LTCUSDT."""

    name = "binance"

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def fetch(self, listings: Sequence[Listing]) -> list[Answer]:
        """See `Source.fetch`."""
        client = open_client()

        def ask_one(listing: Listing) -> SourceQuote:
            answer = ask(client, f"{self.base_url}/api/v3/ticker/24hr", {"symbol": listing.symbol})
            if read_field(answer, "symbol") != listing.symbol:
                raise SourceError("wrong_symbol", f"asked {listing.symbol}, got {str(answer['symbol'])[:24]}")
            return SourceQuote(
                market=listing.market,
                quote=listing.quote,
                bid=read_price(read_field(answer, "bidPrice")),
                ask=read_price(read_field(answer, "askPrice")),
                venue_at=read_milliseconds(read_field(answer, "closeTime")),
            )

        return ask_each(listings, ask_one)
