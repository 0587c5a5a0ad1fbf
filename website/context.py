"""What every page needs to know: whether this is a demo, where its prices come from, and itself in other languages."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import translate_url
from django.utils.translation import get_language

from ticker.market import is_generated


def site(request: HttpRequest) -> dict[str, Any]:
    """Context processor; the values are plain."""
    here, current = request.get_full_path(), get_language()
    demo = settings.SITE_MODE == "demo"
    return {
        "demo": demo,
        "generated_market": demo and is_generated(),
        "languages": [
            {"code": code, "name": name, "url": translate_url(here, code), "current": code == current}
            for code, name in settings.LANGUAGES
        ],
    }
