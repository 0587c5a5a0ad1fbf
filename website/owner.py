"""Who may act on an order's page: the browser that holds the owner token in a cookie of that page alone.

The cookie's path is the page's, which starts with the language, so each language has a cookie of its own.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import override

from orders.models import Order
from orders.reads import owns

KEPT_S = 180 * 24 * 3600


def read_owner_token(request: HttpRequest, order: Order) -> str:
    """Return the owner token that this browser holds for this order, or "" when it holds none that fits."""
    for code, _name in settings.LANGUAGES:
        token = request.COOKIES.get(_cookie_name(order.reference, code), "")
        if owns(order, owner_token=token):
            return token
    return ""


def remember_owner(request: HttpRequest, response: HttpResponse, *, reference: str, token: str) -> None:
    """Let this browser act for the order from now on."""
    for code, _name in settings.LANGUAGES:
        with override(code):
            page = reverse("website:order", args=[reference])
        response.set_cookie(
            _cookie_name(reference, code),
            token,
            max_age=KEPT_S,
            path=page,
            secure=request.is_secure(),
            httponly=True,
            samesite="Lax",
        )


def _cookie_name(reference: str, language: str) -> str:
    return f"order_{reference}_{language}"
