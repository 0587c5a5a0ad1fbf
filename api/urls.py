"""The API under any language prefix, or none: the same machine values everywhere, only texts differ."""

from django.urls import include, re_path

from api.prefix import PREFIX
from api.resource import Missing

urlpatterns = [
    re_path(f"^{PREFIX}v1/", include("api.v1.urls")),
    re_path(f"^{PREFIX}", Missing.as_view()),
]
