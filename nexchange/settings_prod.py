"""A server: no secret has a default, each process is of one kind, cookies only over TLS."""

from django.core.exceptions import ImproperlyConfigured

from nexchange.settings import *  # noqa: F403 -- settings modules differ from the base, they do not repeat it
from nexchange.settings import SECRET_KEY, SILENCED_SYSTEM_CHECKS, SPEAKS_TO_PEOPLE, TOKEN_KEY

for _name, _value in (("SECRET_KEY", SECRET_KEY), ("TOKEN_KEY", TOKEN_KEY)):
    if SPEAKS_TO_PEOPLE and not _value:
        raise ImproperlyConfigured(f"Set {_name} or {_name}_FILE: production has no default for a secret.")

# What the tracked file ENVIRONMENT holds; a test compares. The pipelines may build with these, a server does not start.
REFUSED_SECRETS = ("development-only", "development-only-app")

UNION_ROLE = False  # nobody works as all kinds at once here

SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 63072000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
# security.W021 asks for SECURE_HSTS_PRELOAD. Browsers' built-in lists take months to leave and bind every name below the
# domain: that is its owner's decision, not one of an image that also serves staging sites.
SILENCED_SYSTEM_CHECKS = [*SILENCED_SYSTEM_CHECKS, "security.W021"]
