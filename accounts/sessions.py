"""How long somebody stays signed in: half an hour of silence (settings.SESSION_COOKIE_AGE), a working day at most."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse

from core import clock

LONGEST_S = 8 * 3600
SINCE = "signed_in_at"

Handler = Callable[[HttpRequest], HttpResponse]


class SessionLifeMiddleware:
    """Ends sessions that are older than LONGEST_S however busy they are. Customers have none, and cost nothing here."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Note when a session was first seen signed in; forget one that is too old."""
        if settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session:
            now_s = int(clock.now().timestamp())
            if now_s - request.session.setdefault(SINCE, now_s) > LONGEST_S:
                request.session.flush()
        return self.get_response(request)
