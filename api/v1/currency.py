"""Currencies: what the exchange knows, with the bounds and the network fee of each."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import NotFound
from api.resource import Resource
from api.v1.amounts import eight
from api.wire import Written, dump
from core.assets import confirmations_required, list_assets
from core.models import Asset
from core.money import Money
from core.snapshot import Followed
from orders.facts import get_facts
from orders.offer import get_fees
from ticker.catalogue import get_catalogue
from ticker.models import Pair


def currency_json(asset: Asset) -> Written:
    """Return a Currency of version 1 as JSON, written once for each state of catalogue and fees."""
    written = _written.get()
    if asset.code not in written:
        written[asset.code] = Written(dump(_shape(asset)))
    return written[asset.code]


def _shape(asset: Asset) -> dict[str, Any]:
    """Return a Currency of version 1, from memory. `…_for_test` also counts pairs that only testers see."""
    offered = [pair for pair in get_catalogue().pairs.values() if pair.enabled]
    return {
        "code": asset.code,
        "name": asset.name,
        "min_confirmations": confirmations_required(asset) if asset.confirmations_required else None,
        "is_crypto": asset.is_crypto,
        "minimal_amount": eight(Money(asset.minimum_minor, asset)),
        "maximal_amount": eight(Money(asset.maximum_minor, asset)),
        **_sides(asset, [pair for pair in offered if not pair.test_mode], ""),
        **_sides(asset, offered, "_for_test"),
        "withdrawal_fee": eight(get_fees(asset).expected),
        "extra_id": asset.extra_id or None,
    }


def _sides(asset: Asset, pairs: list[Pair], suffix: str) -> dict[str, bool]:
    is_base = any(pair.base_id == asset.code for pair in pairs)
    is_quote = any(pair.quote_id == asset.code for pair in pairs)
    return {
        f"is_base_of_enabled_pair{suffix}": is_base,
        f"is_quote_of_enabled_pair{suffix}": is_quote,
        f"has_enabled_pairs{suffix}": is_base or is_quote,
    }


def _none_yet() -> dict[str, Written]:
    return {}


_written = Followed(_none_yet, get_catalogue, get_facts)


class Currencies(Resource):
    """GET currency/."""

    def get(self, request: Request, **_path: Any) -> Response:
        """Answer all currencies as a plain array."""
        return Response([currency_json(asset) for asset in list_assets()])


class CurrencyDetail(Resource):
    """GET currency/{CODE}/."""

    def get(self, request: Request, code: str, **_path: Any) -> Response:
        """Answer one currency. Raises: NotFound."""
        found = next((asset for asset in list_assets() if asset.code == code.upper()), None)
        if found is None:
            raise NotFound
        return Response(currency_json(found))
