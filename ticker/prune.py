"""Keeping the price tables small: observations live for hours, rates are thinned as they age and end after months."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from ticker.models import MarketRate, Round

# The first rate of each bin stays, so that thinning twice removes nothing more.
_THIN = """
DELETE FROM ticker_marketrate WHERE id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER (
            PARTITION BY market_id, date_bin(%s, at, TIMESTAMPTZ '2000-01-01 00:00:00+00') ORDER BY at
        ) AS place
        FROM ticker_marketrate WHERE at < %s
    ) AS aged WHERE place > 1
)
"""


def prune_prices(*, at: datetime) -> dict[str, int]:
    """Remove what is past its age at `at` and return how many rows went, by table. Safe to repeat and to run twice."""
    keep = settings.TICKER_KEEP
    with transaction.atomic():
        _, removed = Round.objects.filter(at__lt=at - timedelta(hours=keep["observations_h"])).delete()
        ended, _ = MarketRate.objects.filter(at__lt=at - timedelta(days=keep["rates_days"])).delete()
        with connection.cursor() as cursor:
            thinned_s, after = timedelta(seconds=keep["thinned_rate_s"]), at - timedelta(hours=keep["all_rates_h"])
            span: list[Any] = [thinned_s, after]
            cursor.execute(_THIN, span)
            thinned = cursor.rowcount
    return {
        "observations": removed.get("ticker.Observation", 0),
        "rounds": removed.get("ticker.Round", 0),
        "rates": ended + thinned,
    }
