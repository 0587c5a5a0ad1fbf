"""The public catalogue from memory: pairs with their assets, and where each market stands, at most a second old.

`load_catalogue()` is one SQL statement; while the snapshot is warm, reading costs none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import JSONField
from django.db.models.expressions import RawSQL

from core.snapshot import Snapshot
from ticker.models import Pair
from ticker.rates import Rate, Standing, cross_rate

# Prices travel as text: JSON numbers would come back as binary fractions. The sub-select does not depend on the row,
# so PostgreSQL runs it once.
_STANDINGS = """(
SELECT COALESCE(jsonb_agg(jsonb_build_array(
    m.base, m.code, s.bid::text, s.ask::text, s.sources, s.rate_at, s.paused_at IS NOT NULL, s.generated, m.max_age_s
)), '[]'::jsonb)
FROM ticker_marketstate s JOIN ticker_market m ON m.code = s.market_id WHERE m.enabled AND m.quote = 'USD'
)"""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All pairs by name (assets loaded) and the standing of each dollar market by its base currency."""

    pairs: Mapping[str, Pair]
    standings: Mapping[str, Standing]

    def rate(self, base: str, quote: str, at: datetime) -> Rate:
        """Return the rate between two currencies at `at`. Raises: RateUnavailable."""
        return cross_rate(self.standings, base=base, quote=quote, at=at)

    @property
    def generated(self) -> bool:
        """Whether any price on show comes from the generated market."""
        return any(standing.generated for standing in self.standings.values())


def load_catalogue() -> Catalogue:
    """Read pairs, assets and standings in one SQL statement."""
    pairs = list(
        Pair.objects.select_related("base", "quote")
        .annotate(standings=RawSQL(_STANDINGS, (), output_field=JSONField()))  # noqa: S611 -- a constant
        .order_by("name")
    )
    rows = pairs[0].standings if pairs else []
    return Catalogue(
        pairs={pair.name: pair for pair in pairs}, standings={row[0]: _read_standing(row[1:]) for row in rows}
    )


def _read_standing(row: list[Any]) -> Standing:
    market, bid, ask, sources, rate_at, paused, generated, max_age_s = row
    return Standing(
        market=market,
        bid=None if bid is None else Decimal(bid),
        ask=None if ask is None else Decimal(ask),
        sources=tuple(sources),
        rate_at=None if rate_at is None else datetime.fromisoformat(rate_at),
        paused=paused,
        generated=generated,
        max_age_s=max_age_s,
    )


_snapshot = Snapshot(load_catalogue)


def get_catalogue() -> Catalogue:
    """Return the catalogue, at most a second old."""
    return _snapshot.get()


def forget_catalogue() -> None:
    """Read again at the next use: tests, and a process that has just changed pairs or rates."""
    _snapshot.forget()
