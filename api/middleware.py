"""What every path of the API has in common, before Django looks at it: CORS, slashes, body limit, JSON errors.

It stands before sessions and languages: the API sets no cookie and reads none.
"""

import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.utils.cache import patch_vary_headers

from api.errors import error_response

_API = re.compile(r"/(?:[A-Za-z]{2}(?:-[A-Za-z]{2,8})?/)?api/")
_LINGER_BYTES, _CHUNK = 16 * 1024 * 1024, 64 * 1024
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

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer preflights, redirects and oversized bodies here; turn whatever else fails into JSON."""
        if not _API.match(request.path_info):
            return self.get_response(request)
        request.META.pop("HTTP_COOKIE", None)  # a browser's session must not act, nor be looked up, through the API
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
        if _length(request) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return _refuse_body(request)
        response = self.get_response(request)
        if response.status_code >= 400 and response.get("Content-Type") != "application/json":  # noqa: PLR2004 -- errors
            response = error_response(response.status_code)
        patch_vary_headers(response, ("Authorization",))
        return response


def _length(request: HttpRequest) -> int:
    text = request.META.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isascii() and text.isdigit() else 0


def _refuse_body(request: HttpRequest) -> HttpResponse:
    """Answer 413. A part of the body is thrown away unread, because a connection closed on a sender loses the answer."""
    left = min(_length(request), _LINGER_BYTES)
    stream = request.META.get("wsgi.input")
    while stream is not None and left > 0:
        chunk = stream.read(min(_CHUNK, left))
        if not chunk:
            break
        left -= len(chunk)
    response = error_response(413)
    if _length(request) > _LINGER_BYTES:
        response["Connection"] = "close"
    return response
