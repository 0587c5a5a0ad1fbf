"""So many requests a minute from one address or user, API and pages together: a fixed window, counted in Redis.

One atomic increment. Redis is asked directly: Django's cache would make a new client and two round trips of it, on
every request.
"""

import logging
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from redis import Redis
from redis.exceptions import RedisError

from core.client import client_network
from core.errors import DomainError

logger = logging.getLogger(__name__)
WINDOW_S = 60
KEYS = "api-rate"


class TooManyRequests(DomainError):
    """`retry_after_s` is when the window ends."""

    code = "rate_limited"
    message = _("Too many requests. Try again in a moment.")

    def __init__(self, *, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__()


@lru_cache(maxsize=1)
def _redis(url: str) -> Redis:
    """One client for the process; its pool is safe among threads and after a fork."""
    return Redis.from_url(url, socket_timeout=1)


def count_request(*, who: str, at_s: int) -> None:
    """Count one request of `who` in the minute of `at_s` (whole seconds since 1970). Raises: TooManyRequests.

    Without Redis the site stays open: the limit protects comfort, while money is protected by the database.
    """
    window, second = divmod(at_s, WINDOW_S)
    key = f"{KEYS}:{who}:{window}"
    client = _redis(settings.REDIS_URL)
    try:
        count = client.incr(key)
        if count == 1:
            client.expire(key, 2 * WINDOW_S)
    except RedisError as error:
        logger.warning("requests are not being limited: %s", error)
        return
    if count > settings.API_REQUESTS_PER_MINUTE:
        raise TooManyRequests(retry_after_s=WINDOW_S - second)


def count_address(request: HttpRequest, *, at_s: int) -> None:
    """Count a request of nobody in particular by the network it comes from. Raises: TooManyRequests."""
    count_request(who=f"address:{client_network(request)}", at_s=at_s)
