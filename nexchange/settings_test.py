"""The test suite: fixed secrets, no static manifest, cache in memory so that tests share nothing."""

from nexchange.settings import *  # noqa: F403 -- settings modules differ from the base, they do not repeat it
from nexchange.settings import STORAGES

SECRET_KEY = "test-only"  # noqa: S105 -- opens nothing
TOKEN_KEY = "test-only-tokens"  # noqa: S105 -- opens nothing
SITE_MODE = "demo"
TICKER_MARKET = "live"
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
WHITENOISE_AUTOREFRESH = True  # look for static files when asked, not for a collected folder at start
