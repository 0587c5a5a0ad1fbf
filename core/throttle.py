"""So many requests a minute from one network, API and pages together: a fixed window, counted in Redis.

One atomic increment. Redis is asked directly: Django's cache would make a new client and two round trips of it, on
every request. A caller who is far from the limit is counted some requests ahead, so that those to come cost no round
trip; near it, each is asked for. So the limit is never passed, and in one process it is exact; what several processes
hold ahead of one caller is a thirty-second of the limit each at the most, and may be missing to them at the window's end.
While Redis is away each process counts by itself, so the limit is then that many times higher, not gone.
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
from core.redis_users import COUNTERS

logger = logging.getLogger(__name__)
WINDOW_S = 60
KEYS = COUNTERS
REST_S = 5  # how long Redis is not asked after it failed: nobody waits for it at each request
MOST_COUNTED = 20_000  # callers that one process tells apart in a window; without Redis the rest count as one
MOST_AHEAD = 10  # requests counted before they come, whatever the limit
AHEAD_SHARE = 32  # and no more than this part of what the caller has left


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


class _Ahead:
    """How many requests to come are counted in Redis already, by caller; of one window, bounded, safe among threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._window = -1
        self._left: dict[str, int] = {}
        self._ask: dict[str, int] = {}

    def take(self, *, who: str, window: int) -> int:
        """Take a request that is counted already and return 0, or return how many to count now, this one included."""
        with self._lock:
            if window != self._window:
                self._window, self._left, self._ask = window, {}, {}
            left = self._left.get(who, 0)
            if left:
                self._left[who] = left - 1
                return 0
            return self._ask.get(who, 1)

    def keep(self, *, who: str, window: int, more: int, room: int) -> None:
        """Note that `more` were counted beyond this one, and that the caller has `room` left in the window."""
        with self._lock:
            if window == self._window and (who in self._ask or len(self._ask) < MOST_COUNTED):
                self._left[who] = self._left.get(who, 0) + more
                self._ask[who] = max(1, min(room // AHEAD_SHARE, MOST_AHEAD))


_own: dict[int, _OwnCount] = {}  # by length of window
_ahead: dict[int, _Ahead] = {}  # by length of window
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
    ahead = _ahead.setdefault(window_s, _Ahead())
    asked = ahead.take(who=who, window=window)
    if not asked:
        return
    count = _count_in_redis(f"{KEYS}:{who}:{window}", asked, 2 * window_s)
    if count is None:
        count, asked = _own.setdefault(window_s, _OwnCount()).add(who=who, window=window), 1
    before = count - asked
    if before >= most:
        raise TooManyRequests(retry_after_s=window_s - second)
    ahead.keep(who=who, window=window, more=min(count, most) - before - 1, room=most - count)


def _count_in_redis(key: str, requests: int, keep_s: int) -> int | None:
    """Return how many requests `key` has with these, or None while Redis does not answer."""
    global _asks_again_at_ns  # noqa: PLW0603 -- one fact of the process; a race costs one more question
    if time.monotonic_ns() < _asks_again_at_ns:
        return None
    client = _redis(settings.REDIS_URL)
    try:
        count = int(client.incrby(key, requests))
        if count == requests:
            client.expire(key, keep_s)
    except RedisError as error:
        _asks_again_at_ns = time.monotonic_ns() + REST_S * 10**9
        logger.warning("Redis does not answer, each process counts requests by itself: %s", error)
        return None
    return count


def count_address(request: HttpRequest, *, at_s: int) -> None:
    """Count a request by the network it comes from, whatever token it shows: tokens cost nothing. Raises: TooManyRequests."""
    count_request(who=f"address:{client_network(request)}", at_s=at_s)
