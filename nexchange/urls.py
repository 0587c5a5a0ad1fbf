"""Where each path goes: the API and the pages under a language prefix, the admin site apart."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
]
