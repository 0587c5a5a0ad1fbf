"""So many requests a minute from one address or user: a fixed window, counted by an atomic increment in the cache."""

import logging

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

from api.errors import TooManyRequests

logger = logging.getLogger(__name__)
WINDOW_S = 60


def count_request(*, who: str, at_s: int) -> None:
    """Count one request of `who` in the minute of `at_s` (whole seconds since 1970). Raises: TooManyRequests.

    Without its cache the API stays open: the limit protects comfort, while money is protected by the database.
    """
    window, second = divmod(at_s, WINDOW_S)
    key = f"api-rate:{who}:{window}"
    try:
        try:
            count = cache.incr(key)
        except ValueError:  # the first of this window; whoever loses the race to add it increments after all
            count = 1 if cache.add(key, 1, timeout=2 * WINDOW_S) else cache.incr(key)
    except RedisError as error:
        logger.warning("requests are not being limited: %s", error)
        return
    if count > settings.API_REQUESTS_PER_MINUTE:
        raise TooManyRequests(retry_after_s=WINDOW_S - second)
