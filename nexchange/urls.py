"""Where each path goes: the API and the pages under a language prefix, the admin site apart."""

from django.conf import settings
from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

handler404 = "website.errors.show_not_found"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("api.urls")),
    path("admin/", admin.site.urls),
]
if settings.SITE_MODE == "demo":
    urlpatterns += i18n_patterns(path("demo/", include("demo.urls")))
urlpatterns += i18n_patterns(path("", include("website.urls")))
