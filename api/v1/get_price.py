"""What an amount costs right now, from either side. Answered from memory: no statement while the snapshots are warm."""

from typing import Any

from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import refusal_body
from api.resource import Resource
from api.v1.amounts import exact_number, number, read_amount
from api.v1.pair import require_pair
from core.errors import DomainError
from core.money import Money
from orders.offer import Limits, get_limits, get_offer
from orders.quotes import AmountRequired, Quote, price_amount
from ticker.models import Pair

_SIDES = ("amount_base", "amount_quote")


class GetPrice(Resource):
    """GET get_price/{PAIR}/."""

    def get(self, request: Request, name: str, **_path: Any) -> Response:
        """Answer a price, or a 400 that carries the bounds. Raises: NotFound for an unknown pair."""
        pair = require_pair(name)
        try:
            base, quote = _read_amounts(request.query_params)
            offer = get_offer(pair.name, at=self.at)
            priced = price_amount(offer, send=quote, get=base, at=self.at)
        except DomainError as error:
            return Response(refusal_body(error) | self._bounds(pair), status=400)
        return Response(self._shape(priced, pair) | _limits_shape(offer.limits))

    def _shape(self, priced: Quote, pair: Pair) -> dict[str, Any]:
        return {
            "amount_base": exact_number(priced.get),
            "amount_quote": exact_number(priced.send),
            "timestamp": int(self.at.timestamp()),
            "price": number(priced.price),
            "pair": {"base": pair.base_id, "quote": pair.quote_id},
        }

    def _bounds(self, pair: Pair) -> dict[str, Any]:
        try:
            return _limits_shape(get_limits(pair=pair.name, at=self.at))
        except DomainError:
            # No price or a pair that rests: then the currencies' own bounds are all there is to say.
            base, quote = pair.base, pair.quote
            return _limits_shape(
                Limits(
                    min_send=Money(quote.minimum_minor, quote),
                    max_send=Money(quote.maximum_minor, quote),
                    min_get=Money(base.minimum_minor, base),
                    max_get=Money(base.maximum_minor, base),
                )
            )


def _read_amounts(params: QueryDict) -> tuple[str | None, str | None]:
    """Return amount_base and amount_quote as text. Both given as zero are no amount at all. Raises: AmountRequired."""
    base, quote = (read_amount(params.get(side), side) for side in _SIDES)
    if all(params.get(side, "").strip() for side in _SIDES) and not any((base, quote)) and not _undefined(params):
        raise AmountRequired
    return base, quote


def _undefined(params: QueryDict) -> bool:
    return any("undefined" in params.get(side, "") for side in _SIDES)


def _limits_shape(limits: Limits) -> dict[str, Any]:
    return {
        "max_amount_base": exact_number(limits.max_get),
        "max_amount_quote": exact_number(limits.max_send),
        "min_amount_base": exact_number(limits.min_get),
        "min_amount_quote": exact_number(limits.min_send),
    }
