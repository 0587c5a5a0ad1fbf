"""GET /health/: whether this process serves and its database answers, for containers, proxies and releases.

Answered ahead of all other middleware: a probe speaks plain HTTP to an address that is no host name of the site.
"""

import logging
from collections.abc import Callable
from http import HTTPStatus

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

PATH = "/health/"

logger = logging.getLogger(__name__)

Handler = Callable[[HttpRequest], HttpResponse]


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
        response = JsonResponse(
            {"status": "ok" if answers else "unavailable", "database": "ok" if answers else "unreachable"},
            status=HTTPStatus.OK if answers else HTTPStatus.SERVICE_UNAVAILABLE,
        )
        response["Cache-Control"] = "no-store"
        response["Content-Length"] = str(len(response.content))  # Django's own middleware for that comes later
        return response


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
