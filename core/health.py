"""GET /health/: whether this process serves and its database answers, for containers, proxies and releases.

Answered ahead of all other middleware: a probe speaks plain HTTP to an address that is no host name of the site. What is
sold may be added by whoever knows (`tell`); why it is not, only for the operator's token.
"""

import hmac
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from core.tokens import make_token

PATH = "/health/"

logger = logging.getLogger(__name__)

Handler = Callable[[HttpRequest], HttpResponse]
# Takes whether the operator asks, returns what is added to the answer.
Teller = Callable[[bool], dict[str, Any]]
_tellers: list[Teller] = []


def tell(teller: Teller) -> Teller:
    """Let `teller` add to every answer while the database answers; called once, when an app is ready."""
    if teller not in _tellers:
        _tellers.append(teller)
    return teller


def operator_token() -> str:
    """Return the bearer token that is answered in full; changes with TOKEN_KEY."""
    return make_token("health", "", "")


class HealthMiddleware:
    """Stands first in MIDDLEWARE; reads neither host nor cookies and says nothing that a stranger may not know."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer probes; whatever else passes through untouched."""
        if request.path_info != PATH:
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return JsonResponse({"status": "method_not_allowed"}, status=HTTPStatus.METHOD_NOT_ALLOWED)
        answers = database_answers()
        body: dict[str, Any] = {
            "status": "ok" if answers else "unavailable",
            "database": "ok" if answers else "unreachable",
        }
        if answers and _tellers:
            body |= _told(_asks_as_operator(request))
        response = JsonResponse(
            body,
            status=HTTPStatus.OK if answers else HTTPStatus.SERVICE_UNAVAILABLE,
        )
        response["Cache-Control"] = "no-store"
        response["Content-Length"] = str(len(response.content))  # Django's own middleware for that comes later
        return response


def _asks_as_operator(request: HttpRequest) -> bool:
    given = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ").strip()
    return bool(given) and hmac.compare_digest(given.encode(), operator_token().encode())


def _told(operator: bool) -> dict[str, Any]:  # noqa: FBT001 -- who asks
    """Collect what the tellers say. That this process serves is not less true because one of them failed."""
    body: dict[str, Any] = {}
    for teller in _tellers:
        try:
            body |= teller(operator)
        except DatabaseError:
            logger.exception("what is sold could not be told")
    return body


def database_answers() -> bool:
    """Ask the database for nothing; a connection that broke since the last request gets one fresh try."""
    for _ in range(2):
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except (DatabaseError, InterfaceError) as error:
            logger.warning("The database does not answer: %s", type(error).__name__)
            connection.close()
        else:
            return True
    return False
