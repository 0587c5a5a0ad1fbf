"""What every request for a page passes first: the size of what it brings, and how many its network has made.

The admin site is among the pages. The API has its own (api.middleware), static files have passed before.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core import clock
from core.intake import is_too_large
from core.throttle import TooManyRequests, count_address

_TOO_LARGE = _("The request is too large.")
Handler = Callable[[HttpRequest], HttpResponse]


class PagesMiddleware:
    """Refuses before sessions, cookies or forms are read; a refusal is a page, or JSON for a script that asks."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer 413 or 429 here, pass on everything else."""
        # Python 3.11's reader of quoted cookies needs a time with the square of their backslashes; no cookie of ours has one.
        request.META["HTTP_COOKIE"] = request.META.get("HTTP_COOKIE", "").replace("\\", "")
        if is_too_large(request):
            return _refuse(request, 413, "body_too_large", _TOO_LARGE)
        try:
            count_address(request, at_s=int(clock.now().timestamp()))
        except TooManyRequests as error:
            refusal = _refuse(request, 429, error.code, error.message)
            refusal["Retry-After"] = str(error.retry_after_s)
            return refusal
        return self.get_response(request)


def _refuse(request: HttpRequest, status: int, code: str, said: str | Promise) -> HttpResponse:
    """Say it in the language of the path: nothing of the request has been read yet that could name another."""
    language = translation.get_language_from_path(request.path_info) or settings.LANGUAGE_CODE
    with translation.override(language):
        if "application/json" in request.headers.get("Accept", ""):
            return JsonResponse({"code": code, "message": str(said), "field": "form"}, status=status)
        # Without the request: a page that is refused asks neither the database nor the market for its frame.
        return HttpResponse(render_to_string("refused.html", {"said": said}), status=status)
