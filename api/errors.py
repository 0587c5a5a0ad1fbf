"""Errors as clients of the API know them: the old shapes (`detail`, `non_field_errors`, a field) plus a stable `code`."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response

from api.wire import BodyInvalid, dump
from core.errors import DomainError
from core.throttle import TooManyRequests
from orders.idempotency import IdempotencyInProgress, IdempotencyReused
from wallets.address_rules import AddressInvalid

logger = logging.getLogger(__name__)

# What the business calls its inputs, and what version 1 does.
_FIELDS = {
    "send": "amount_quote",
    "get": "amount_base",
    "address": "withdraw_address",
    "payout_address": "withdraw_address",
}

# Clients look for these very words to tell a bad address from other refusals.
_ADDRESS_MARK = "has invalid characters"

_CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    411: "length_required",
    413: "body_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
    500: "server_error",
    503: "unavailable",
}


class NotFound(DomainError):
    code = "not_found"


class OwnerRequired(DomainError):
    """A write without the token of the order's owner."""

    code = "owner_required"


class FieldInvalid(DomainError):
    """A field of the body has the wrong type or is missing."""

    code = "field_invalid"


_STATUS: tuple[tuple[type[DomainError], int], ...] = (
    (NotFound, 404),
    (OwnerRequired, 403),
    (TooManyRequests, 429),
    (IdempotencyReused, 409),
    (IdempotencyInProgress, 409),
    (BodyInvalid, 400),
)


def _detail(status: int) -> str:
    return {
        400: _("The request is not valid."),
        401: _("Authentication credentials were not provided."),
        403: _("Only the order's owner may do this. Send the bearer token that the order was answered with."),
        404: _("Not found."),
        405: _("This method is not allowed here."),
        406: _("Only JSON is served here."),
        411: _("Send the length of the body; bodies in chunks are not read."),
        413: _("The request is too large."),
        415: _("Send the body as JSON, with the content type application/json."),
        429: _("Too many requests. Try again in a moment."),
        503: _("The service is busy. Try again in a moment."),
    }.get(status, _("Something went wrong on our side. Nothing is lost; please try again."))


def error_body(status: int) -> dict[str, Any]:
    """Return the body of an error that has no more to say than its status."""
    return {"detail": _detail(status), "code": _CODES.get(status, "server_error" if status >= 500 else "bad_request")}  # noqa: PLR2004 -- server errors


def error_response(status: int) -> HttpResponse:
    """Return an error as JSON from outside a view, where nothing of DRF is at hand."""
    return HttpResponse(dump(error_body(status)), status=status, content_type="application/json")


def handle_exception(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn an exception of a view into its answer; None (a bug) is logged by Django and becomes a JSON 500."""
    if isinstance(error, DomainError):
        return _domain(error)
    if isinstance(error, Http404):
        return Response(error_body(404), status=404)
    if isinstance(error, PermissionDenied):
        return Response(error_body(403), status=403)
    if isinstance(error, exceptions.APIException):
        headers = {"Allow": ", ".join(context["view"].allowed_methods)} if error.status_code == 405 else {}  # noqa: PLR2004
        return Response(error_body(error.status_code), status=error.status_code, headers=headers)
    if isinstance(error, OperationalError):
        # A lock not had in time, or the database away: the transaction is rolled back and asking again is right.
        logger.warning("database refused an API request", exc_info=error)
        return Response(error_body(503), status=503, headers={"Retry-After": "1"})
    return None


def _domain(error: DomainError) -> Response:
    status = next((number for kind, number in _STATUS if isinstance(error, kind)), 400)
    if isinstance(error, TooManyRequests):
        return Response(error_body(429), status=429, headers={"Retry-After": str(error.retry_after_s)})
    if status == 400 and not isinstance(error, BodyInvalid):  # noqa: PLR2004
        return Response(refusal_body(error), status=400)
    body = error_body(status) | {"code": error.code}
    return Response(body | ({"detail": str(error)} if error.message else {}), status=status)


def refusal_body(error: DomainError) -> dict[str, Any]:
    """Return the body of a refused request: `non_field_errors` is what old clients show verbatim, `detail` what newer do."""
    text = str(error)
    if isinstance(error, AddressInvalid) and _ADDRESS_MARK not in text:
        text = f"The address {_ADDRESS_MARK}. {text}"
    body: dict[str, Any] = {"non_field_errors": [text], "detail": text, "code": error.code}
    if error.field:
        body["field"] = _FIELDS.get(error.field, error.field)
    return body
