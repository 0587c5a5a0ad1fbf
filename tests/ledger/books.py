"""What the ledger's tests share: assets, short entries, and connections that work in threads of their own."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from django.db import connections, transaction

from core.models import Asset
from core.money import Money
from ledger.post import Leg, NewEntry, post_entries

LTC, ETH = Asset(code="LTC", scale=8), Asset(code="ETH", scale=18)
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def ltc(minor: int) -> Money:
    return Money(minor, LTC)


def eth(minor: int) -> Money:
    return Money(minor, ETH)


def entry(reference: str, *legs: Leg, reverses: str = "", reason: str = "test") -> NewEntry:
    return NewEntry(reference=reference, reason=reason, occurred_at=AT, legs=legs, reverses=reverses)


def fund(reference: str, amount: Money) -> NewEntry:
    return entry(reference, Leg("chain:spendable", amount), Leg("capital", -amount))


def deposit(reference: str, amount: Money, owner: str) -> NewEntry:
    return entry(reference, Leg("chain:spendable", amount), Leg("customer", -amount, owner))


def commit(*entries: NewEntry) -> list[bool]:
    with transaction.atomic():
        return post_entries(entries)


def run_together(*works: Callable[[], object]) -> list[object]:
    """Run each in a thread with its own connection, all started at once; an exception is its result."""
    together = threading.Barrier(len(works))
    results: list[object] = [None] * len(works)

    def run(place: int, work: Callable[[], object]) -> None:
        try:
            together.wait(10)
            results[place] = work()
        except Exception as error:  # noqa: BLE001 -- it is the result that the test looks at
            results[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place, work)) for place, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
