"""A developer's machine: readable errors, harmless secrets, plain static files."""

from nexchange.settings import *  # noqa: F403 -- settings modules differ from the base, they do not repeat it
from nexchange.settings import SECRET_KEY, STORAGES, TOKEN_KEY

DEBUG = True
SECRET_KEY = SECRET_KEY or "development-only"
TOKEN_KEY = TOKEN_KEY or "development-only"
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
