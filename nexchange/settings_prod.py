"""A server: no secret has a default, cookies only over TLS."""

from django.core.exceptions import ImproperlyConfigured

from nexchange.settings import *  # noqa: F403 -- settings modules differ from the base, they do not repeat it
from nexchange.settings import SECRET_KEY, TOKEN_KEY

for _name, _value in (("SECRET_KEY", SECRET_KEY), ("TOKEN_KEY", TOKEN_KEY)):
    if not _value:
        raise ImproperlyConfigured(f"Set {_name} or {_name}_FILE: production has no default for a secret.")

SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 63072000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
