"""The complete base of all settings; settings_dev, settings_prod and settings_test only differ from it.

Every variable read here is listed in the file ENVIRONMENT; a test compares the two, both ways.
"""

from pathlib import Path

from core import networks
from core.database_roles import derive_password, role_name
from core.environment import Environment
from core.redis_users import unacked_keys

CHAINS: tuple[str, ...] = networks.CHAINS

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

# SECRET_KEY may also come from the file named by SECRET_KEY_FILE.
env = Environment()

SITE_MODE = env.str("SITE_MODE", default="demo")  # live | demo, apart from the settings module
SECRET_KEY = env.str("SECRET_KEY", default="")
TOKEN_KEY = env.str("TOKEN_KEY", default="")  # HMAC key of owner tokens: changing it locks every customer out
QUOTE_KEY = env.str("QUOTE_KEY", default="")  # what signs quotes; without it one made of SECRET_KEY for them alone
REFUSED_SECRETS: tuple[str, ...] = ()  # values that web, worker, beat and release do not start with
DEBUG = False
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.gis",
    "csp",
    "rest_framework",
    "core",
    "ledger",
    "ticker",
    "accounts",
    "wallets",
    "orders",
    "api",
    "website",
]
if SITE_MODE == "demo":
    INSTALLED_APPS.append("demo")

MIDDLEWARE = [
    "core.health.HealthMiddleware",  # ahead of the redirect to https: a probe speaks plain HTTP from inside
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "api.middleware.APIMiddleware",  # answers the API itself: what follows is for pages
    "website.intake.PagesMiddleware",  # size and number of requests, before anything of one is read
    "django.contrib.sessions.middleware.SessionMiddleware",
    "accounts.sessions.SessionLifeMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "nexchange.urls"
WSGI_APPLICATION = "nexchange.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "website.context.site",
            ],
        },
    },
]

# --- Database: one PostGIS, a role for each kind of process ------------------------------------------------------------
# The owner (POSTGIS_ENV_POSTGRES_USER) owns the tables and is used by the command `release` and by test set-up alone.
# Everything else connects as `<owner>_<DB_ROLE>`, which owns nothing and may do what RIGHTS says.

RIGHTS = "nexchange.rights"  # the module with the table
_owner = env.db_url_config(env.str("DATABASE_URL")) if env.str("DATABASE_URL", default="") else {}
_owner_user = env.str("POSTGIS_ENV_POSTGRES_USER", default="") or _owner.get("USER") or "nexchange"
_owner_password = env.str("POSTGIS_ENV_POSTGRES_PASSWORD", default="") or _owner.get("PASSWORD", "")
# The password that all roles' own ones are derived from: known to release and to whoever starts the processes.
APP_DB_PASSWORD = env.str("APP_DB_PASSWORD", default="")
DB_ROLE = env.str("DB_ROLE", default="")  # empty: all of them together, for tests and a developer's shell
UNION_ROLE = True  # whether a release makes the role of all together
SPEAKS_TO_PEOPLE = DB_ROLE in (
    "",
    "web",
)  # makes and reads sessions, quotes and tokens: the keys of those are its alone
APP_ROLE = role_name(_owner_user, DB_ROLE)
DB_PASSWORD = env.str("DB_PASSWORD", default="") or (
    derive_password(APP_DB_PASSWORD, APP_ROLE) if DB_ROLE else APP_DB_PASSWORD
)


def _database(user: str, password: str) -> dict[str, object]:
    return {
        "ENGINE": "django.contrib.gis.db.backends.postgis",
        "NAME": env.str("POSTGIS_ENV_POSTGRES_DB", default="") or _owner.get("NAME") or "nexchange",
        "HOST": env.str("POSTGIS_PORT_5432_TCP_ADDR", default="") or _owner.get("HOST") or "postgis",
        "PORT": env.str("POSTGIS_PORT_5432_TCP_PORT", default="") or _owner.get("PORT") or "5432",
        "USER": user,
        "PASSWORD": password,
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": False,  # one more statement per request; a broken connection answers one 500 and is gone
        "ATOMIC_REQUESTS": False,
        "DISABLE_SERVER_SIDE_CURSORS": True,  # PgBouncer
        "OPTIONS": {"options": "-c lock_timeout=3s -c idle_in_transaction_session_timeout=60s", "connect_timeout": 5},
    }


DATABASES = {
    "default": _database(APP_ROLE, DB_PASSWORD),
    "owner": _database(_owner_user, _owner_password),
}
DATABASE_ROUTERS: list[str] = []

# Rows are locked in this order, upstream first; see core.locks and docs/ARCHITECTURE.md.
LOCK_ORDER = (
    "accounts.User",
    "orders.Order",
    "orders.Choice",
    "wallets.ChainState",
    "wallets.Deposit",
    "wallets.Payout",
    "wallets.Attempt",
    "wallets.Coin",
)

# --- Redis, Celery ---------------------------------------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", default="redis://redis:6379/0")
SESSION_ENGINE = "django.contrib.sessions.backends.db"


def broker_url(redis_url: str) -> str:
    """Spell a Redis socket, and the number of a database there, as Celery does."""
    return redis_url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")


CELERY_BROKER_URL = broker_url(REDIS_URL)
CELERY_BROKER_TRANSPORT_OPTIONS = unacked_keys(DB_ROLE) if DB_ROLE else {}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 60
CELERY_TASK_TIME_LIMIT = 90
CELERY_TIMEZONE = "UTC"
# One message could stop payouts for good, or print passwords, and ping would answer all the while: heartbeats are rows.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

# --- Chains and keys -------------------------------------------------------------------------------------------------
# Nodes: a network's worker alone, and the demo's pages. Public account keys: all processes. A network's private key, its
# journal and its ceilings: that network's signer alone, which its worker reaches over a local socket.
CHAIN_RPC_URLS = {
    "litecoin": env.str("LITECOIN_RPC_URL", default=""),
    "ethereum": env.str("ETHEREUM_RPC_URL", default=""),
}
ACCOUNT_KEYS = {
    "litecoin": env.str("LITECOIN_ACCOUNT_KEY", default=""),  # extended public keys of the derivation accounts
    "ethereum": env.str("ETHEREUM_ACCOUNT_KEY", default=""),
}
KEY_FILE = env.str("KEY_FILE", default="")
SIGNER_SOCKET = env.str("SIGNER_SOCKET", default="")  # of this process's network: a signer listens there, a worker asks
SIGNER_JOURNAL_DIR = env.str("SIGNER_JOURNAL_DIR", default=str(VAR_DIR / "signer"))
_demo = SITE_MODE == "demo"
CEILINGS = {  # in whole coins; without a default on a live site, where wallets.E005 asks each signer for them
    "litecoin": {
        "payout": env.str("LITECOIN_CEILING_PAYOUT", default="") or ("200" if _demo else ""),
        "hour": env.str("LITECOIN_CEILING_HOUR", default="") or ("1000" if _demo else ""),
        "day": env.str("LITECOIN_CEILING_DAY", default="") or ("5000" if _demo else ""),
        "funded_hour": env.str("LITECOIN_CEILING_FUNDED_HOUR", default="") or ("1000" if _demo else ""),
    },
    "ethereum": {
        "payout": env.str("ETHEREUM_CEILING_PAYOUT", default="") or ("10" if _demo else ""),
        "hour": env.str("ETHEREUM_CEILING_HOUR", default="") or ("50" if _demo else ""),
        "day": env.str("ETHEREUM_CEILING_DAY", default="") or ("250" if _demo else ""),
        "funded_hour": env.str("ETHEREUM_CEILING_FUNDED_HOUR", default="") or ("50" if _demo else ""),
    },
}
PAYOUT_JOURNAL = env.str("PAYOUT_JOURNAL", default=str(VAR_DIR / "payouts.journal"))

# --- Prices ----------------------------------------------------------------------------------------------------------
# TICKER_MARKET: "live" asks the venues; "demo" is the generated market, refused in SITE_MODE=live; "auto" (demo only)
# asks the venues and falls back to the generated market, said so on every page.
TICKER_MARKET = env.str("TICKER_MARKET", default="auto" if SITE_MODE == "demo" else "live")
TICKER_BASE_URLS = {  # another address only for tests and replays
    "kraken": env.str("KRAKEN_URL", default="https://api.kraken.com"),
    "coinbase": env.str("COINBASE_URL", default="https://api.exchange.coinbase.com"),
    "bitstamp": env.str("BITSTAMP_URL", default="https://www.bitstamp.net"),
    "binance": env.str("BINANCE_URL", default="https://api.binance.com"),
}
TICKER_ROUND = {  # what a market asks of its prices is in fixtures/markets.json; here is how the venues are asked
    "period_s": 10,
    "spacing_s": 5,  # a round this soon after another is not run
    "bound_s": 6,  # for all venues together
    "ahead_s": 15,  # a venue's clock may run this far ahead of ours
    "backoff_first_s": 10,  # doubled with each failure in a row
    "backoff_max_s": 300,
}
TICKER_KEEP = {"observations_h": 24, "all_rates_h": 24, "thinned_rate_s": 300, "rates_days": 90}

# --- Orders ----------------------------------------------------------------------------------------------------------
PROMISES_PER_CLIENT = env.int(
    "PROMISES_PER_CLIENT", default=10
)  # open orders of one client network at a time, paid or not
PROMISED_SHARE_PERCENT = env.int(
    "PROMISED_SHARE_PERCENT", default=50
)  # of an asset's spendable coins that unfunded orders may hold together
MAX_TIP_AGE_SECONDS = {"litecoin": 5400, "ethereum": 600}  # an older tip stops crediting, expiring and paying
# How old each kind of work may become before nothing is sold that needs it: published, listed in docs/ARCHITECTURE.md.
# By the first part of a heartbeat's name (core.heartbeat), in seconds.
HEARTBEAT_LIMITS_S = {
    "default": 9,  # the worker of prices, deadlines and events has taken any turn; every 2 s
    "scan": 9,  # a chain was read to its tip, mempool included; every 2 s
    "orders": 9,  # the orders of a chain were moved on; every 2 s
    "pay": 9,  # what a chain had to pay was signed and sent, by a signer that answers; every 2 s
    "signer": 9,  # a network's signer has answered, or waited for the next request, and told its ceilings; every 2 s
    "prices": 30,  # a round of prices was stored; every 10 s
    "deadlines": 45,  # what is overdue was looked for; every 10 s
    "reconcile": 1200,  # the books of an asset were held against its chain; every 3 minutes
    "publish": 45,  # committed transitions were numbered; every 2 s
    "replacing": 300,  # a release began to take the place of another: so long may work be away, until that is over
}
SCAN_LIMIT_S = 30  # a scan that began longer ago says nothing about now to who wants to sell
UNSENT_LIMIT_S = 120  # a payout that nobody has tried to sign, or that no node has taken, for longer: the lane stands
LANE_LIMIT_S = 3600  # the lowest nonce of a lane that is signed for longer and not mined: the lane is stuck
CLOCK_LIMIT_S = 5  # a process whose clock is further from the database's sells nothing
SCAN_FRESH_SECONDS = 300  # a scan older than this says nothing about now
READING_GAP_SECONDS = 60  # scans further apart than this (ordinary: 2 s) leave a gap, in which payments were seen late
DEEPEST_ROLLBACK = 200  # blocks kept to find where a reorganisation began
MIN_PEERS = env.int("MIN_PEERS", default=0 if SITE_MODE == "demo" else 3)
BUMP_AFTER_MINUTES = env.int("BUMP_AFTER_MINUTES", default=30)  # then an unmined payout outbids itself
DEMO_BLOCK_SECONDS = env.int("DEMO_BLOCK_SECONDS", default=5)  # between the blocks of the demo's local chains

# --- Languages, files, security --------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ru", "Русский")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_URL = "/media/"
MEDIA_ROOT = env.str("MEDIA_ROOT", default=str(BASE_DIR / "var" / "media"))
FIXTURE_DIRS = [BASE_DIR / "fixtures"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024  # bytes; no form and no order is larger, more is refused before it is read
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Only people who sign in to the admin site have a session: half an hour of silence ends it, a working day in any case.
SESSION_COOKIE_AGE = 30 * 60
SESSION_SAVE_EVERY_REQUEST = True
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "website.errors.show_csrf_failure"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEST_RUNNER = "nexchange.testing.PytestRunner"
SILENCED_SYSTEM_CHECKS = ["gis.W001"]  # Debian's GDAL may open what a spatial reference names; nobody may send us one

REST_FRAMEWORK = {
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
}
API_REQUESTS_PER_MINUTE = env.int("API_REQUESTS_PER_MINUTE", default=300)
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)  # how many proxies of ours append to X-Forwarded-For

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        "nowhere": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django.server": {"handlers": ["console"], "level": "INFO", "propagate": False},
        # Scanners send any name: the access log has their 400, and a traceback for each would bury what matters.
        "django.security.DisallowedHost": {"handlers": ["nowhere"], "propagate": False},
    },
}
