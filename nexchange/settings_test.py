"""The test suite: fixed secrets, no static manifest."""

import os
import re

from nexchange.settings import *  # noqa: F403 -- settings modules differ from the base, they do not repeat it
from nexchange.settings import HEARTBEAT_LIMITS_S, REDIS_URL, STORAGES, broker_url

SECRET_KEY = "test-only"  # noqa: S105 -- opens nothing
TOKEN_KEY = "test-only-tokens"  # noqa: S105 -- opens nothing
SITE_MODE = "demo"
TICKER_MARKET = "live"
API_REQUESTS_PER_MINUTE = 10**6  # the whole suite calls from one address; what tests the limit sets its own
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
WHITENOISE_AUTOREFRESH = True  # look for static files when asked, not for a collected folder at start

# Test processes side by side share a Redis server, each with a numbered database of its own there (gw0 has 0).
if _process := os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw"):
    _server = REDIS_URL.partition("?")[0]
    REDIS_URL = f"{_server}?db={_process}" if _server.startswith("unix:") else re.sub(r"/\d*$", f"/{_process}", _server)
    CELERY_BROKER_URL = broker_url(REDIS_URL)

# No workers run beside most tests, and a busy machine may be slow between two lines of one: what is published is tried by
# the tests that are about it.
HEARTBEAT_LIMITS_S = dict.fromkeys(HEARTBEAT_LIMITS_S, 3600)
SCAN_LIMIT_S = 3600
