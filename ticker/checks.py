"""System checks of the price settings: a live site refuses the generated market and anything but TLS to the venues."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from ticker.sources.registry import SOURCES

MARKETS = ("live", "demo", "auto")


@register()
def check_ticker_settings(**_: Any) -> list[CheckMessage]:
    """Return what is wrong with TICKER_MARKET and TICKER_BASE_URLS in this SITE_MODE."""
    found: list[CheckMessage] = []
    if settings.TICKER_MARKET not in MARKETS:
        found.append(Error(f"TICKER_MARKET must be one of {', '.join(MARKETS)}.", id="ticker.E001"))
    unknown = sorted(set(settings.TICKER_BASE_URLS) - set(SOURCES))
    if unknown:
        found.append(Error(f"TICKER_BASE_URLS names unknown venues: {', '.join(unknown)}.", id="ticker.E004"))
    if settings.SITE_MODE == "demo":
        return found
    if settings.TICKER_MARKET != "live":
        found.append(
            Error("Generated prices are for SITE_MODE=demo only.", hint="Set TICKER_MARKET=live.", id="ticker.E002")
        )
    plain = sorted(name for name, url in settings.TICKER_BASE_URLS.items() if not url.startswith("https://"))
    if plain:
        found.append(Error(f"A live site asks its venues over TLS; not so: {', '.join(plain)}.", id="ticker.E003"))
    return found
