"""Act on rows one by one, and on each of them in its turn, so that poisoned ones do not stop those behind them."""

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.db.models import QuerySet

log = logging.getLogger(__name__)
T = TypeVar("T")
_reached: dict[str, Any] = {}  # by what is waited for: the last row of a full page; in memory, since it decides nothing


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


def next_page(name: str, rows: QuerySet[Any, Any], *, limit: int) -> list[Any]:
    """Return up to `limit` rows that wait, oldest first; where more wait than that, go on behind the last page.

    However many rows fail, or may not be acted on yet, each of the others has its turn. `rows`: a `values_list` whose
    first column is the primary key; `name` says what they wait for, per process. One statement, two where a page is full.
    """
    after = _reached.pop(name, None)
    ordered = rows.order_by("pk")
    page = [] if after is None else list(ordered.filter(pk__gt=after)[:limit])
    if len(page) < limit:
        before = ordered if after is None else ordered.filter(pk__lte=after)
        page += before[: limit - len(page)]
    if page and len(page) == limit:
        _reached[name] = page[-1][0]
    return page
