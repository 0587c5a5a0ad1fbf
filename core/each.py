"""Act on rows one by one so that a poisoned one does not stop those behind it."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")


def for_each(items: Iterable[T], act: Callable[[T], object]) -> int:
    """Call `act` for each item and return how many answered with something true.

    An item whose call raises is logged with its traceback and left as it was: its own transaction is rolled back, the
    next round meets it again, and the items behind it are served meanwhile.
    """
    done = 0
    for item in items:
        try:
            done += bool(act(item))
        except Exception:  # whatever is wrong with one row is no reason to stop serving the others
            log.exception("one row failed and stays as it was: %s", item)
    return done
