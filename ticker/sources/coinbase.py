"""Coinbase Exchange: one call per product, the time of the latest trade (https://docs.cdp.coinbase.com/exchange/)."""

from collections.abc import Sequence

from ticker.sources.protocol import Answer, Listing, SourceQuote, ask, ask_each, open_client
from ticker.sources.reading import read_field, read_iso, read_price


class Coinbase:
    """Symbols are product ids: LTC-USD."""

    name = "coinbase"

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def fetch(self, listings: Sequence[Listing]) -> list[Answer]:
        """See `Source.fetch`."""
        client = open_client()

        def ask_one(listing: Listing) -> SourceQuote:
            answer = ask(client, f"{self.base_url}/products/{listing.symbol}/ticker")
            return SourceQuote(
                market=listing.market,
                quote=listing.quote,
                bid=read_price(read_field(answer, "bid")),
                ask=read_price(read_field(answer, "ask")),
                venue_at=read_iso(read_field(answer, "time")),
            )

        return ask_each(listings, ask_one)
