"""The site under load: limits against crowds out of the way, everything else as it is."""

from nexchange.settings_test import *  # noqa: F403 -- settings modules differ from the base, they do not repeat it

ROOT_URLCONF = "bench.urls"
API_REQUESTS_PER_MINUTE = 10**9
PROMISES_PER_CLIENT = 10**9
PROMISED_SHARE_PERCENT = 100
SCAN_LIMIT_S = 10**6  # nothing scans meanwhile; the heartbeats' limits are the tests'
# The public key of BIP-32's first test vector, written as a test network's: addresses are derived, nobody is paid.
ACCOUNT_KEYS = dict.fromkeys(
    ("litecoin", "ethereum"),
    "tpubD6NzVbkrYhZ4XgiXtGrdW5XDAPFCL9h7we1vwNCpn8tGbBcgfVYjXyhWo4E1xkh56hjod1RhGjxbaTLV3X4FyWuejifB9jusQ46QzG87VKp",
)
LOGGING = {"version": 1, "disable_existing_loggers": True}
