"""What a site refuses to start with: the demo's parts on a live one, a mode that nobody wrote, keys that can be guessed."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

MODES = ("live", "demo")
SHORTEST_KEY = 32  # characters; as few as an attacker may be given
FEWEST_LETTERS = 8  # different ones: "aaaa…" is long as well


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
        "core.E005": ("APP_DB_PASSWORD and DB_PASSWORD are empty", not settings.DB_PASSWORD),
        "core.E006": (
            "the settings are not those of a server: set DJANGO_SETTINGS_MODULE=nexchange.settings_prod, or SITE_MODE=demo",
            not settings.REFUSED_SECRETS,
        ),
    }
    return [Error(f"SITE_MODE is live, but {what}.", id=code) for code, (what, is_so) in wrong.items() if is_so]


@register()
def check_server(**_: Any) -> list[CheckMessage]:
    """A server (settings_prod) has keys that nobody guesses, and answers to names that somebody wrote.

    Asked of the kind of process alone that has either.
    """
    if not settings.REFUSED_SECRETS or not settings.SPEAKS_TO_PEOPLE:
        return []
    keys = {"SECRET_KEY": settings.SECRET_KEY, "TOKEN_KEY": settings.TOKEN_KEY}
    if settings.QUOTE_KEY:
        keys["QUOTE_KEY"] = settings.QUOTE_KEY
    found: list[CheckMessage] = [
        Error(
            f"{name} can be guessed: fewer than {SHORTEST_KEY} characters, or fewer than {FEWEST_LETTERS} different ones.",
            hint=f"Set {name} in the environment of this server, for example to what `openssl rand -hex 32` says.",
            id="core.E007",
        )
        for name, key in keys.items()
        if len(key) < SHORTEST_KEY or len(set(key)) < FEWEST_LETTERS
    ]
    if len(set(keys.values())) < len(keys):
        found.append(
            Error(f"Two of {', '.join(keys)} are the same.", hint="Give each a value of its own.", id="core.E008")
        )
    if not settings.ALLOWED_HOSTS or any("*" in host for host in settings.ALLOWED_HOSTS):
        found.append(
            Error(
                "ALLOWED_HOSTS lets any host name in.",
                hint="Write the names of the site there, comma-separated: links in its pages are made of them.",
                id="core.E009",
            )
        )
    return found
