"""Two customers at the same instant: one quote, one key, one reserve."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections
from django.db.models import Sum

from core.errors import DomainError
from orders import offer, policy
from orders import open as opening
from orders.facts import Facts, read_facts
from orders.idempotency import IdempotencyRequest, hash_body
from orders.models import Order, Promise
from orders.open import Client, open_order
from orders.quotes import Quote, make_quote
from tests.orders.conftest import NOW, account_keys, committed_site  # noqa: F401 -- fixtures

ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
pytestmark = pytest.mark.usefixtures("committed_site")


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls in threads that start together; return each result or the error it raised."""
    gate = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        gate.wait()
        try:
            results[place] = call()
        except Exception as error:  # noqa: BLE001 -- the error is the result under test
            results[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def codes(results: list[Any]) -> list[str]:
    return sorted(r.code if isinstance(r, DomainError) else type(r).__name__ for r in results)


def test_one_quote_makes_one_order() -> None:
    quote = make_quote(pair="ETHLTC", send="2", at=NOW)

    results = at_once(*[lambda: open_order(quote=quote, payout_address=ADDRESS, at=NOW)] * 4)

    assert codes(results) == ["Opened", "quote_used", "quote_used", "quote_used"]
    assert Order.objects.count() == 1


def test_one_key_makes_one_order() -> None:
    request = IdempotencyRequest("anonymous", str(uuid.uuid4()), hash_body("x"))
    quotes = [make_quote(pair="ETHLTC", send="2", at=NOW) for _ in range(4)]

    def call(quote: Quote) -> Any:
        return open_order(quote=quote, payout_address=ADDRESS, idempotency=request, at=NOW)

    results = at_once(*[lambda q=q: call(q) for q in quotes])

    assert Order.objects.count() == 1
    assert set(codes(results)) <= {"Opened", "idempotency_in_progress"}
    assert len({r.order.pk for r in results if not isinstance(r, Exception)}) == 1


def _spend_everything(monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Let eight customers ask at once for a third of the coins each; return what was promised and what there was."""
    quotes = [make_quote(pair="ETHLTC", get="1", at=NOW) for _ in range(8)]
    room = quotes[0].get + quotes[0].fee_cap

    def tight(client_ref: str = "") -> Facts:
        found = read_facts(client_ref)
        taken = Promise.objects.filter(closed_at=None).aggregate(total=Sum("amount_minor"))["total"] or 0
        side = replace(found.sides["ETH"], free=3 * room.minor - int(taken), unfunded=0)
        return replace(found, sides={**found.sides, "ETH": side})

    monkeypatch.setattr(offer, "read_facts", tight)
    monkeypatch.setattr(policy, "KEPT_FOR_SMALL_PERCENT", 0)
    monkeypatch.setattr(settings, "PROMISED_SHARE_PERCENT", 100)
    at_once(*[lambda q=q: open_order(quote=q, payout_address=ADDRESS, at=NOW) for q in quotes])
    promised = Promise.objects.filter(closed_at=None).aggregate(total=Sum("amount_minor"))["total"] or 0
    return int(promised), 3 * room.minor


def test_promises_never_exceed_the_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    promised, there_was = _spend_everything(monkeypatch)

    assert promised == there_was


def test_without_the_lock_they_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control run: if this fails, the test above proves nothing."""
    real = opening._read_offer

    class Unlocked:
        def __enter__(self) -> Any:
            self.cursor = connection.cursor()
            return self

        def __exit__(self, *_: object) -> None:
            self.cursor.close()

        def execute(self, sql: str, params: list[Any]) -> None:
            self.cursor.execute(
                sql.replace("pg_advisory_xact_lock(hashtextextended('promise:' || %s, 0))", "%s"), params
            )

        def fetchone(self) -> Any:
            return self.cursor.fetchone()

    monkeypatch.setattr(opening, "connection", type("Loose", (), {"cursor": staticmethod(Unlocked)}))
    gate = threading.Barrier(8, timeout=10)

    def together(*asked: Any) -> Any:
        found = real(*asked)
        gate.wait()  # everybody has looked before anybody writes
        return found

    monkeypatch.setattr(opening, "_read_offer", together)
    promised, there_was = _spend_everything(monkeypatch)

    assert promised > there_was


def test_one_client_cannot_outrun_the_cap_on_unpaid_orders(settings: Any) -> None:
    settings.PROMISES_PER_CLIENT = 3
    quotes = [make_quote(pair=("ETHLTC", "LTCETH")[n % 2], send=("2", "0.05")[n % 2], at=NOW) for n in range(10)]

    results = at_once(
        *[
            lambda q=q: open_order(quote=q, payout_address="", client=Client(network="a-network"), at=NOW)
            for q in quotes
        ]
    )

    assert codes(results) == ["Opened"] * 3 + ["too_many_open_orders"] * 7
    assert Promise.objects.count() == 3
