"""Where the API is found: under any language prefix, or none. The prefix chooses the language of texts, nothing else."""

from django.conf import settings

PREFIX = r"(?:(?P<language>[A-Za-z]{2}(?:-[A-Za-z]{2,8})?)/)?api/"


def language_of(prefix: str | None) -> str:
    """Return the language that texts are written in under a path's prefix; a language not spoken here is English."""
    wanted = (prefix or "").lower()
    return wanted if wanted in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
