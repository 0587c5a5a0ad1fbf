"""Orders: open one, look at it, give it the addresses it lacks. Only verbs of `orders` write."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import FieldInvalid, NotFound, OwnerRequired
from api.resource import Resource
from api.v1.amounts import read_amount
from api.v1.order_shape import order_shape
from api.wire import dump
from core.client import client_ref
from core.errors import DomainError
from orders.addresses import set_payout_address, set_refund_address
from orders.idempotency import IdempotencyRequest, hash_body
from orders.models import Order
from orders.offer import get_offer
from orders.open import Client, Opened, find_opened, open_order
from orders.quotes import AmountRequired, price_amount
from orders.reads import build_view, find_order, owns, view_of_new
from wallets.address_rules import MAX_TYPED

_UUID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,80}", re.ASCII)


class IdempotencyKeyInvalid(DomainError):
    code = "idempotency_key_invalid"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a create request asks for. `base` is what the customer gets, `quote` what they send, as text."""

    pair: str
    base: str | None
    quote: str | None
    payout_address: str
    refund_address: str


class Orders(Resource):
    """POST orders/."""

    reads_bearer: ClassVar[bool] = True

    def post(self, request: Request, **_path: Any) -> Response:
        """Open an order at the present price; an anonymous caller gets a user and its bearer token.

        A repeated Idempotency-Key answers with the order as it is now, and says so in `Idempotent-Replayed`.
        """
        body = _body(request)
        idempotency = self._idempotency(request, body)
        opened = self._open(_read_wanted(body), idempotency)
        view = (
            build_view(opened.order, at=self.at, is_owner=True, with_transitions=False)
            if opened.replayed
            else view_of_new(opened.order)
        )
        headers = {"Idempotent-Replayed": "true"} if opened.replayed else {}
        return Response(order_shape(view, at=self.at) | {"token": opened.bearer or None}, status=201, headers=headers)

    def _open(self, wanted: _Wanted, idempotency: IdempotencyRequest | None) -> Opened:
        client = Client(user=self.user, network=client_ref(self.request), anonymous_user=self.user is None)
        try:
            if wanted.base is None and wanted.quote is None:
                raise AmountRequired
            offer = get_offer(wanted.pair, at=self.at)
            quote = price_amount(offer, send=wanted.quote, get=wanted.base, at=self.at)
            return open_order(
                quote=quote,
                payout_address=wanted.payout_address,
                refund_address=wanted.refund_address,
                client=client,
                idempotency=idempotency,
                at=self.at,
            )
        except DomainError:
            # A repetition is answered like the first time, even when today's price, limits or coins would refuse it.
            replayed = find_opened(idempotency) if idempotency else None
            if replayed is None:
                raise
            return replayed

    def _idempotency(self, request: Request, body: dict[str, Any]) -> IdempotencyRequest | None:
        key = request.META.get("HTTP_IDEMPOTENCY_KEY", "").strip()
        if not key:
            return None
        if self.user is None and not _UUID.fullmatch(key):
            raise IdempotencyKeyInvalid(_("Without a bearer token the idempotency key must be a UUID."))
        if not _KEY.fullmatch(key):
            raise IdempotencyKeyInvalid(_("An idempotency key has 1 to 80 visible ASCII characters."))
        scope = f"user:{self.user.pk}" if self.user else "anonymous"
        return IdempotencyRequest(scope=scope, key=key, body_hash=hash_body(dump(_sorted(body))))


class OrderDetail(Resource):
    """GET, PATCH, PUT orders/{reference}/."""

    reads_bearer: ClassVar[bool] = True

    def get(self, request: Request, reference: str, **_path: Any) -> Response:
        """Answer the order, masked for everyone but its owner. Raises: NotFound."""
        return self._answer(self._find(reference))

    def patch(self, request: Request, reference: str, **_path: Any) -> Response:
        """Set the payout address or the refund address. Raises: NotFound, OwnerRequired, as the verbs."""
        order = self._find(reference)
        if not self._owns(order):
            raise OwnerRequired
        body = _body(request)
        payout, refund = _read_address(body, "withdraw_address"), _read_address(body, "refund_address")
        if bool(payout) == bool(refund):  # each is a write of its own; together, one might be kept and one refused
            raise FieldInvalid(_("Give either withdraw_address or refund_address."), field="withdraw_address")
        if refund:
            order = set_refund_address(order_reference=order.reference, address=refund, at=self.at, actor="customer")
        else:
            order = set_payout_address(order_reference=order.reference, address=payout, at=self.at, actor="customer")
        return self._answer(order)

    put = patch  # clients use either for either address

    def _find(self, reference: str) -> Order:
        order = find_order(reference)
        if order is None:
            raise NotFound
        return order

    def _owns(self, order: Order) -> bool:
        return owns(order, owner_token=self.bearer, user_id=self.user.pk if self.user else None)

    def _answer(self, order: Order) -> Response:
        view = build_view(order, at=self.at, is_owner=self._owns(order), with_transitions=False)
        return Response(order_shape(view, at=self.at))


def _body(request: Request) -> dict[str, Any]:
    body = request.data
    if not isinstance(body, dict):
        raise FieldInvalid(_("The body must be a JSON object."))
    return body


def _sorted(value: Any) -> Any:
    """Return JSON with its keys in order, so that two ways to write one request have one fingerprint."""
    if isinstance(value, dict):
        return {key: _sorted(item) for key, item in sorted(value.items())}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _read_wanted(body: dict[str, Any]) -> _Wanted:
    pair = body.get("pair")
    name = pair.get("name") if isinstance(pair, dict) else pair
    if not isinstance(name, str) or not name.strip():
        raise FieldInvalid(_('Name the pair, for example {"name": "ETHLTC"}.'), field="pair")
    return _Wanted(
        pair=name.strip(),
        base=read_amount(body.get("amount_base"), "amount_base"),
        quote=read_amount(body.get("amount_quote"), "amount_quote"),
        payout_address=_read_address(body, "withdraw_address"),
        refund_address=_read_address(body, "refund_address"),
    )


def _read_address(body: dict[str, Any], field: str) -> str:
    """Return an address given as text or as an object with `address`; empty when none is given. Raises: FieldInvalid."""
    value = body.get(field)
    if isinstance(value, dict):
        value = value.get("address")
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_TYPED:
        raise FieldInvalid(_("%(name)s must be an address as text."), field=field, name=field)
    return value.strip()
