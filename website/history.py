"""The recorded prices of a pair for the chart and for its table: only what was recorded, gaps stay gaps."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from core import clock
from core.errors import DomainError
from orders.offer import find_pair
from ticker.models import Pair
from ticker.rates import Rate, list_history
from website.quote import refuse

SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7)}
POINTS, ROWS = 240, 12


@dataclass(frozen=True, slots=True)
class History:
    """Recorded middle prices (send asset per get asset), oldest first, with the words for who cannot see a curve."""

    rates: tuple[Rate, ...]
    low: Decimal
    high: Decimal
    rows: tuple[Rate, ...]

    @property
    def first(self) -> Rate:
        return self.rates[0]

    @property
    def latest(self) -> Rate:
        return self.rates[-1]


def read_history(*, pair: Pair, span: str, at: datetime) -> History | None:
    """Return what was recorded of a pair during `span` (a key of SPANS), or None when nothing was. One statement."""
    since = at - SPANS[span]
    rates = tuple(list_history(base=pair.base_id, quote=pair.quote_id, since=since, until=at, points=POINTS))
    if not rates:
        return None
    mids = [rate.mid for rate in rates]
    step = max(len(rates) // ROWS, 1)
    return History(rates=rates, low=min(mids), high=max(mids), rows=rates[::-1][::step])


def read_span(request: HttpRequest) -> str:
    """Return the span that a request asks for, an hour when it names none that exists."""
    span = request.GET.get("span", "")
    return span if span in SPANS else "1h"


@require_safe
@cache_control(max_age=10)
def answer_history(request: HttpRequest) -> JsonResponse:
    """Answer the curve of `pair`: instants in seconds and prices as text; the script only draws them."""
    at = clock.now()
    try:
        pair = find_pair(request.GET.get("pair", ""))
    except DomainError as error:
        return refuse(error, field="pair")
    history = read_history(pair=pair, span=read_span(request), at=at)
    rates = history.rates if history else ()
    return JsonResponse({"at": [int(r.at.timestamp()) for r in rates], "price": [str(r.mid) for r in rates]})
