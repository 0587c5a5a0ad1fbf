"""What a site refuses to start with: the demo's parts on a live one, and a mode that nobody wrote."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

MODES = ("live", "demo")


@register()
def check_site_mode(**_: Any) -> list[CheckMessage]:
    """SITE_MODE is one of two, and `live` has no play money, no generated prices and no password left out."""
    if settings.SITE_MODE not in MODES:
        return [Error(f"SITE_MODE is {settings.SITE_MODE!r}; it must be live or demo.", id="core.E001")]
    if settings.SITE_MODE == "demo":
        return []
    wrong = {
        "core.E002": ("the app `demo` is installed", "demo" in settings.INSTALLED_APPS),
        "core.E003": (f"TICKER_MARKET is {settings.TICKER_MARKET}, not live", settings.TICKER_MARKET != "live"),
        "core.E004": ("DEBUG shows tracebacks to customers", settings.DEBUG),
        "core.E005": ("APP_DB_PASSWORD is empty", not settings.APP_DB_PASSWORD),
    }
    return [Error(f"SITE_MODE is live, but {what}.", id=code) for code, (what, is_so) in wrong.items() if is_so]
