"""Where each path goes: the API and the pages under a language prefix, the admin site apart."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("api.urls")),
    path("admin/", admin.site.urls),
]
