"""So many requests a minute from one network, API and pages together: a fixed window, counted in Redis.

One atomic increment. Redis is asked directly: Django's cache would make a new client and two round trips of it, on
every request. While Redis is away each process counts by itself, so the limit is then that many times higher, not gone.
"""

import logging
import threading
import time
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from core.client import client_network
from core.errors import DomainError

logger = logging.getLogger(__name__)
WINDOW_S = 60
KEYS = "api-rate"
REST_S = 5  # how long Redis is not asked after it failed: nobody waits for it at each request
MOST_COUNTED = 20_000  # callers that one process tells apart in a minute without Redis; the rest count as one


class TooManyRequests(DomainError):
    """`retry_after_s` is when the window ends."""

    code = "rate_limited"
    message = _("Too many requests. Try again in a moment.")

    def __init__(self, *, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__()


class _OwnCount:
    """Counts in this process alone, for the minutes without Redis; bounded, safe among threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._window = -1
        self._counts: dict[str, int] = {}

    def add(self, *, who: str, window: int) -> int:
        """Count one request of `who` and return how many that makes in `window`."""
        with self._lock:
            if window != self._window:
                self._window, self._counts = window, {}
            if who not in self._counts and len(self._counts) >= MOST_COUNTED:
                who = ""
            self._counts[who] = self._counts.get(who, 0) + 1
            return self._counts[who]


_own: dict[int, _OwnCount] = {}  # by length of window
_asks_again_at_ns = 0  # of the monotonic clock


@lru_cache(maxsize=1)
def _redis(url: str) -> Redis:
    """One client for the process; its pool is safe among threads and after a fork."""
    return Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))


def count_request(*, who: str, at_s: int) -> None:
    """Count one request of `who` in the minute of `at_s` (whole seconds since 1970). Raises: TooManyRequests."""
    count_up(who=who, at_s=at_s, window_s=WINDOW_S, most=settings.API_REQUESTS_PER_MINUTE)


def count_up(*, who: str, at_s: int, window_s: int, most: int) -> None:
    """Count one of whatever `who` names in the window of `at_s`, of which `most` are allowed. Raises: TooManyRequests."""
    window, second = divmod(at_s, window_s)
    count = _count_in_redis(f"{KEYS}:{who}:{window}", 2 * window_s)
    if count is None:
        count = _own.setdefault(window_s, _OwnCount()).add(who=who, window=window)
    if count > most:
        raise TooManyRequests(retry_after_s=window_s - second)


def _count_in_redis(key: str, keep_s: int) -> int | None:
    """Return how many requests `key` has with this one, or None while Redis does not answer."""
    global _asks_again_at_ns  # noqa: PLW0603 -- one fact of the process; a race costs one more question
    if time.monotonic_ns() < _asks_again_at_ns:
        return None
    client = _redis(settings.REDIS_URL)
    try:
        count = int(client.incr(key))
        if count == 1:
            client.expire(key, keep_s)
    except RedisError as error:
        _asks_again_at_ns = time.monotonic_ns() + REST_S * 10**9
        logger.warning("Redis does not answer, each process counts requests by itself: %s", error)
        return None
    return count


def count_address(request: HttpRequest, *, at_s: int) -> None:
    """Count a request by the network it comes from, whatever token it shows: tokens cost nothing. Raises: TooManyRequests."""
    count_request(who=f"address:{client_network(request)}", at_s=at_s)
