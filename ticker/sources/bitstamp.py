"""Bitstamp: one call per pair, its time in whole seconds (https://www.bitstamp.net/api/)."""

from collections.abc import Sequence

from ticker.sources.protocol import Answer, Listing, SourceQuote, ask, ask_each, open_client
from ticker.sources.reading import read_field, read_price, read_seconds


class Bitstamp:
    """Symbols are lower-case pairs: ltcusd."""

    name = "bitstamp"

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def fetch(self, listings: Sequence[Listing]) -> list[Answer]:
        """See `Source.fetch`."""
        client = open_client()

        def ask_one(listing: Listing) -> SourceQuote:
            answer = ask(client, f"{self.base_url}/api/v2/ticker/{listing.symbol}/")
            return SourceQuote(
                market=listing.market,
                quote=listing.quote,
                bid=read_price(read_field(answer, "bid")),
                ask=read_price(read_field(answer, "ask")),
                venue_at=read_seconds(read_field(answer, "timestamp")),
            )

        return ask_each(listings, ask_one)
