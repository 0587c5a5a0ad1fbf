"""What every path of the API has in common: CORS, slashes, body limit, JSON errors.

It answers the API itself and leaves out what stands behind it in MIDDLEWARE: sessions, cookies, CSRF, languages by
browser and messages are for pages. The API sets no cookie and reads none.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import cast

from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.template.response import SimpleTemplateResponse
from django.urls import ResolverMatch, resolve
from django.utils import translation
from django.utils.cache import patch_vary_headers

from api.errors import error_response
from api.prefix import PREFIX, language_of
from core.intake import is_too_large

_API = re.compile(f"/{PREFIX}")
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After, Idempotent-Replayed",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, OPTIONS",
    "Access-Control-Allow-Headers": "authorization, content-type, x-referral-token, idempotency-key",
    "Access-Control-Max-Age": "86400",
}

Handler = Callable[[HttpRequest], HttpResponse]


class APIMiddleware:
    """Handles requests under `/api/` and `/<language>/api/`; all others pass through untouched."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        # Django's own types allow for asynchronous views, which this site has none of.
        self._dispatch = cast("Callable[[HttpRequest], HttpResponse]", convert_exception_to_response(_call_view))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer preflights, redirects and oversized bodies here; turn whatever else fails into JSON."""
        path = _API.match(request.path_info)
        if not path:
            return self.get_response(request)
        with translation.override(language_of(path["language"])):
            response = self._answer(request)
        for name, value in _CORS.items():
            response[name] = value
        return response

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.method == "OPTIONS":
            preflight = HttpResponse(status=204)
            for name, value in _PREFLIGHT.items():
                preflight[name] = value
            return preflight
        if not request.path_info.endswith("/"):
            if request.method in ("GET", "HEAD"):
                return HttpResponsePermanentRedirect(request.get_full_path(force_append_slash=True))
            # A redirect would lose the body, so these are answered as if the slash were there.
            request.path_info += "/"
            request.path += "/"
        if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
            return error_response(411)  # Django reads no body without a length: it would look empty
        if is_too_large(request):
            return error_response(413)
        response = self._dispatch(request)
        if response.status_code >= 400 and response.get("Content-Type") != "application/json":  # noqa: PLR2004 -- errors
            response = error_response(response.status_code)
        patch_vary_headers(response, ("Authorization",))
        response["Content-Length"] = str(len(response.content))
        return response


@lru_cache(maxsize=1024)
def _resolve(path: str) -> ResolverMatch:
    """Find the view of a path; of all paths of the API a caller may try, the latest are kept. Raises: Resolver404."""
    return resolve(path)


def _call_view(request: HttpRequest) -> HttpResponse:
    """Find the view and call it, as Django's own handler does behind the last middleware."""
    request.get_host()  # raises for a host that is not ours
    match = _resolve(request.path_info)
    request.resolver_match = match
    response = match.func(request, *match.args, **match.kwargs)
    return response.render() if isinstance(response, SimpleTemplateResponse) else response
