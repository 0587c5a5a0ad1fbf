"""What the market said: the latest rate of a pair and its recorded history."""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import FieldInvalid
from api.resource import Resource
from api.v1.amounts import eight, instant
from api.v1.pair import require_pair
from orders.offer import is_sold
from ticker.catalogue import get_catalogue
from ticker.rates import MAX_POINTS, Rate, RateUnavailable, list_history

OWN_MARKET = "nex"
MAX_HOURS = 24 * 366


def _shape(pair: str, rate: Rate) -> dict[str, Any]:
    return {
        "pair": pair,
        "market": OWN_MARKET,
        "created_on": instant(rate.at),
        "unix_time": str(int(rate.at.timestamp())),
        "ticker": {"ask": eight(rate.ask), "bid": eight(rate.bid)},
    }


def _whole(request: Request, name: str, *, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default)).strip()
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 9 and int(text) >= 1):  # noqa: PLR2004 -- digits
        raise FieldInvalid(_("%(name)s must be a whole number from 1 to %(most)s."), field=name, name=name, most=most)
    return min(int(text), most)


def _is_own_market(request: Request) -> bool:
    return request.query_params.get("market_code", OWN_MARKET).lower() in (OWN_MARKET, "")


class LatestPrice(Resource):
    """GET price/{pair}/latest/."""

    def get(self, request: Request, name: str, **_path: Any) -> Response:
        """Answer an array with the newest rate, empty while none is reliable or nothing is sold at it. Raises: NotFound."""
        pair = require_pair(name)
        if not _is_own_market(request):
            return Response([])
        try:
            rate = get_catalogue().rate(pair.base_id, pair.quote_id, self.at)
        except RateUnavailable:
            return Response([])
        # A price at which nothing can be bought now is none; a pair that is not offered at all has its market's.
        return Response([_shape(pair.name, rate)] if is_sold(pair, at=self.at) or not pair.enabled else [])


class PriceHistory(Resource):
    """GET price/{pair}/history/."""

    def get(self, request: Request, name: str, **_path: Any) -> Response:
        """Answer at most `data_points` rates of the last `hours`, oldest first. Raises: NotFound, FieldInvalid."""
        pair = require_pair(name)
        hours = _whole(request, "hours", default=24, most=MAX_HOURS)
        points = _whole(request, "data_points", default=100, most=MAX_POINTS)
        if not _is_own_market(request):
            return Response([])
        rates = list_history(
            base=pair.base_id,
            quote=pair.quote_id,
            since=self.at - timedelta(hours=hours),
            until=self.at,
            points=points,
        )
        return Response([_shape(pair.name, rate) for rate in rates])
