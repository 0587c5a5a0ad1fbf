"""Pairs: a name is receive + deposit, so ETHLTC sends LTC and receives ETH."""

import secrets
from datetime import timedelta
from typing import Any

from django.db.models import Count
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import NotFound
from api.resource import Resource
from api.v1.amounts import eight, fraction
from api.v1.currency import currency_json
from core import clock
from core.models import Asset
from core.snapshot import Snapshot
from orders.models import Order
from orders.offer import is_sold
from ticker.catalogue import get_catalogue
from ticker.models import Pair


def simple_shape(pair: Pair) -> dict[str, Any]:
    """Return a PairSimple of version 1, from memory; a pair that cannot be sold just now is disabled."""
    fee = eight(fraction(pair.fee_bps))
    return {
        "name": pair.name,
        "base": pair.base_id,
        "quote": pair.quote_id,
        "fee_ask": fee,
        "fee_bid": fee,
        "disabled": not is_sold(pair, at=clock.now()),
        "test_mode": pair.test_mode,
    }


def nested_shape(name: str, *, base: Asset, quote: Asset) -> dict[str, Any]:
    """Return the Pair inside an order; the order's own assets stand in for a pair that is no longer offered."""
    pair = get_catalogue().pairs.get(name)
    fee = fraction(pair.fee_bps if pair else 0)
    return {
        "name": name,
        "base": currency_json(base),
        "quote": currency_json(quote),
        "fee_ask": fee,
        "fee_bid": fee,
    }


def require_pair(name: str) -> Pair:
    """Return the pair of a path, in upper or lower case. Raises: NotFound."""
    pair = get_catalogue().pairs.get(name.upper())
    if pair is None:
        raise NotFound(code="pair_unknown")
    return pair


def _count_orders() -> dict[str, int]:
    since = clock.now() - timedelta(days=1)
    counted = Order.objects.filter(created_at__gte=since).values("pair").annotate(n=Count("pk")).order_by()
    return {row["pair"]: row["n"] for row in counted}


_traded = Snapshot(_count_orders, max_age_s=60)


class Pairs(Resource):
    """GET pair/."""

    def get(self, request: Request, **_path: Any) -> Response:
        """Answer all pairs as a plain array, or those that `?name=` asks for: a name, `random` or `all`."""
        pairs = list(get_catalogue().pairs.values())
        name = request.query_params.get("name", "all")
        if name == "random":
            offered = [pair for pair in pairs if pair.enabled and not pair.test_mode]
            pairs = [secrets.choice(offered)] if offered else []
        elif name and name != "all":
            pairs = [pair for pair in pairs if pair.name == name.upper()]
        return Response([simple_shape(pair) for pair in pairs])


class PairDetail(Resource):
    """GET pair/{NAME}/."""

    def get(self, request: Request, name: str, **_path: Any) -> Response:
        """Answer one pair. Raises: NotFound."""
        return Response(simple_shape(require_pair(name)))


class MostTradedPair(Resource):
    """GET pair/most_traded/."""

    def get(self, request: Request, **_path: Any) -> Response:
        """Answer the offered pair with the most orders of the last day. Raises: NotFound when nothing is offered."""
        counts = _traded.get()
        offered = [pair for pair in get_catalogue().pairs.values() if pair.enabled and not pair.test_mode]
        if not offered:
            raise NotFound
        return Response(simple_shape(max(offered, key=lambda pair: counts.get(pair.name, 0))))
