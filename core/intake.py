"""What is looked at before a request is read: how long its body says it is."""

from django.conf import settings
from django.http import HttpRequest


def is_too_large(request: HttpRequest) -> bool:
    """Say whether the body is longer than settings.DATA_UPLOAD_MAX_MEMORY_SIZE (bytes), files in forms included.

    Nothing is read for it: the server throws away what still arrives.
    """
    text = request.META.get("CONTENT_LENGTH") or "0"
    return (int(text) if text.isascii() and text.isdigit() else 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE
