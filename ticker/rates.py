"""Rates between any two currencies, crossed through the US dollar, and their history. Reads only.

A rate is used only while it is fresh; otherwise the answer is RateUnavailable with its reason, never an older number.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from core.money import round_rate
from ticker.models import MarketState

PIVOT = "USD"
ONE = Decimal(1)
MAX_POINTS = 1000

REASONS = {
    "no_market": _("it is not traded here"),
    "no_rate": _("no market has answered yet"),
    "stale": _("the latest price is too old"),
    "paused": _("the price jumped and is being checked"),
    "generated": _("only generated prices are known"),
}


class RateUnavailable(DomainError):
    """`context["reason_code"]` is a key of REASONS; `context["market"]` names the market at fault."""

    code = "rate_unavailable"
    message = _(
        "There is no reliable price for %(base)s/%(quote)s right now: %(reason)s. Please try again in a minute."
    )


@dataclass(frozen=True, slots=True)
class Rate:
    """Quote per base in whole coins, bid <= ask; `at` is when the oldest datum in it was true."""

    base: str
    quote: str
    bid: Decimal
    ask: Decimal
    sources: tuple[str, ...]
    at: datetime

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.ask) / 2


@dataclass(frozen=True, slots=True)
class Standing:
    """The part of a MarketState that readers need, with its market's age limit."""

    market: str
    bid: Decimal | None
    ask: Decimal | None
    sources: tuple[str, ...]
    rate_at: datetime | None
    paused: bool
    generated: bool
    max_age_s: int

    def refusal(self, at: datetime) -> str | None:
        """Return why this market's rate may not be used at `at` (a key of REASONS), or None when it may."""
        if self.generated and settings.SITE_MODE != "demo":
            return "generated"
        if self.paused:
            return "paused"
        if self.bid is None or self.ask is None or self.rate_at is None:
            return "no_rate"
        # A rate from the future is as wrong as an old one; small differences between two machines' clocks are not.
        if abs(at - self.rate_at) > timedelta(seconds=self.max_age_s):
            return "stale"
        return None


def get_rate(*, base: str, quote: str, at: datetime) -> Rate:
    """Return the rate from the table itself, in one SQL statement. Raises: RateUnavailable.

    Pages and price calls use `ticker.catalogue`, which answers the same from memory, at most a second old.
    """
    states = MarketState.objects.select_related("market").filter(
        market__base__in=[base, quote], market__quote=PIVOT, market__enabled=True
    )
    return cross_rate(
        {
            state.market.base: Standing(
                market=state.market_id,
                bid=state.bid,
                ask=state.ask,
                sources=tuple(state.sources),
                rate_at=state.rate_at,
                paused=state.paused_at is not None,
                generated=state.generated,
                max_age_s=state.market.max_age_s,
            )
            for state in states
        },
        base=base,
        quote=quote,
        at=at,
    )


def cross_rate(standings: Mapping[str, Standing], *, base: str, quote: str, at: datetime) -> Rate:
    """Return base in terms of quote from the dollar markets in `standings` (by base currency). Raises: RateUnavailable.

    ask(ETH/LTC) = ask(ETH/USD) / bid(LTC/USD): what it costs to buy the one and sell the other. Rounded against the
    customer at the twelfth digit.
    """
    above, below = _leg(standings, base, base, quote, at), _leg(standings, quote, base, quote, at)
    return _divide(above, below, base, quote)


def _leg(standings: Mapping[str, Standing], currency: str, base: str, quote: str, at: datetime) -> Rate:
    if currency == PIVOT:
        return Rate(PIVOT, PIVOT, ONE, ONE, (), at)
    standing = standings.get(currency)
    code = standing.refusal(at) if standing else "no_market"
    if standing is None or code or standing.bid is None or standing.ask is None or standing.rate_at is None:
        reason = code or "no_rate"
        raise RateUnavailable(
            base=base[:12],
            quote=quote[:12],
            reason=REASONS[reason],
            reason_code=reason,
            market=f"{currency[:12]}-{PIVOT}",
        )
    return Rate(currency, PIVOT, standing.bid, standing.ask, standing.sources, standing.rate_at)


@lru_cache(maxsize=256)
def _divide(above: Rate, below: Rate, base: str, quote: str) -> Rate:
    return Rate(
        base=base,
        quote=quote,
        bid=round_rate(Fraction(above.bid) / Fraction(below.ask), up=False),
        ask=round_rate(Fraction(above.ask) / Fraction(below.bid), up=True),
        sources=tuple(sorted({*above.sources, *below.sources})),
        at=min(above.at, below.at),
    )


_HISTORY = """
SELECT DISTINCT ON (bin, m.base) date_bin(%s, r.at, %s) AS bin, m.base, r.bid, r.ask, r.sources::text, r.at
FROM ticker_marketrate r JOIN ticker_market m ON m.code = r.market_id
WHERE m.base IN (%s, %s) AND m.quote = %s AND r.at >= %s AND r.at < %s
ORDER BY bin, m.base, r.at DESC
"""


def list_history(*, base: str, quote: str, since: datetime, until: datetime, points: int) -> list[Rate]:
    """Return at most `points` (capped at 1000) recorded rates between the instants, oldest first, in one statement.

    The interval is cut into `points` equal parts; each part gives its latest rate, a part without one gives none.
    """
    points = max(1, min(points, MAX_POINTS))
    if until <= since:
        return []
    step = max((until - since) / points, timedelta(seconds=1))
    with connection.cursor() as cursor:
        asked: list[Any] = [step, since, base, quote, PIVOT, since, until]
        cursor.execute(_HISTORY, asked)
        rows = cursor.fetchall()
    bins: dict[datetime, dict[str, Rate]] = {}
    for start, currency, bid, ask, sources, at in rows:
        rate = Rate(currency, PIVOT, bid, ask, tuple(json.loads(sources)), at.astimezone(UTC))
        bins.setdefault(start, {})[currency] = rate
    history = []
    for start, legs in sorted(bins.items()):
        unit = Rate(PIVOT, PIVOT, ONE, ONE, (), start + step)
        above = unit if base == PIVOT else legs.get(base)
        below = unit if quote == PIVOT else legs.get(quote)
        if above and below:
            history.append(_divide(above, below, base, quote))
    return history
