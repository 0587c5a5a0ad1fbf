"""A developer's machine: harmless secrets, plain static files, readable errors unless DEBUG=false (as in bin/run)."""

from nexchange.settings import *  # noqa: F403 -- settings modules differ from the base, they do not repeat it
from nexchange.settings import SECRET_KEY, STORAGES, TOKEN_KEY, env

DEBUG = env.bool("DEBUG", default=True)
WHITENOISE_USE_FINDERS = True  # serves static/ as it is, also without DEBUG
SECRET_KEY = SECRET_KEY or "development-only"
TOKEN_KEY = TOKEN_KEY or "development-only"
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
STATIC_ROOT = None  # nothing is collected
