"""Two customers at the same instant: one quote, one key, one reserve."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connections
from django.db.models import Sum

from core.errors import DomainError
from core.snapshot import forget_all
from orders import offer, policy
from orders import open as opening
from orders.facts import Facts, get_facts, read_facts
from orders.idempotency import IdempotencyRequest, hash_body
from orders.models import Order, Promise
from orders.open import Client, open_order
from orders.quotes import Quote, make_quote
from tests.orders.conftest import NOW, account_keys, committed_site  # noqa: F401 -- fixtures
from ticker.models import Pair

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


def test_a_connection_lost_after_the_commit_spoils_no_later_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows whether the order was written, so its place below the account key is given to nobody else."""
    quotes = [make_quote(pair="ETHLTC", send="2", at=NOW) for _ in range(2)]
    call = opening._call

    def lose(asked: dict[str, Any]) -> tuple[str, int | None]:
        call(asked)
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(opening, "_call", lose)
    with pytest.raises(OperationalError):
        open_order(quote=quotes[0], payout_address=ADDRESS, at=NOW)
    monkeypatch.setattr(opening, "_call", call)

    open_order(quote=quotes[1], payout_address=ADDRESS, at=NOW)
    assert Order.objects.values("deposit_address").distinct().count() == 2


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
    monkeypatch.setattr(opening, "_judge_ahead", lambda *_: None)  # by what is read under the locks alone
    monkeypatch.setattr(policy, "KEPT_FOR_SMALL_PERCENT", 0)
    monkeypatch.setattr(settings, "PROMISED_SHARE_PERCENT", 100)
    at_once(*[lambda q=q: open_order(quote=q, payout_address=ADDRESS, at=NOW) for q in quotes])
    promised = Promise.objects.filter(closed_at=None).aggregate(total=Sum("amount_minor"))["total"] or 0
    return int(promised), 3 * room.minor


def test_promises_never_exceed_the_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    promised, there_was = _spend_everything(monkeypatch)

    assert promised == there_was


NO_LOCKS = """
    CREATE OR REPLACE FUNCTION orders_lock_promises(client text, code text) RETURNS void LANGUAGE sql AS ''
"""


def test_without_the_lock_they_would(monkeypatch: pytest.MonkeyPatch, as_owner: Any) -> None:
    """The control run: if this fails, the test above proves nothing."""
    as_owner.execute(NO_LOCKS)
    real = opening._write
    gate = threading.Barrier(8, timeout=10)

    def together(*asked: Any) -> Any:
        gate.wait()  # everybody has looked before anybody writes
        return real(*asked)

    monkeypatch.setattr(opening, "_write", together)
    promised, there_was = _spend_everything(monkeypatch)

    assert promised > there_was


def _fill_the_pair(monkeypatch: pytest.MonkeyPatch, meanwhile: int) -> tuple[list[str], int]:
    """Let eight customers ask at once where three fit; return what came out, and how often facts were read under the lock."""
    monkeypatch.setattr(policy, "KEPT_FOR_SMALL_PERCENT", 0)
    monkeypatch.setattr(settings, "PROMISED_SHARE_PERCENT", 100)
    monkeypatch.setattr(opening, "MEANWHILE", (meanwhile,))
    quotes = [make_quote(pair="ETHLTC", get="1", at=NOW) for _ in range(8)]
    Pair.objects.update(unfunded_cap_minor=3 * (quotes[0].get + quotes[0].fee_cap).minor)
    forget_all()
    get_facts()  # what everybody judges by: nothing is promised
    read = []
    real = opening.read_offer

    def counted(*asked: Any, **named: Any) -> Any:
        read.append(asked)
        return real(*asked, **named)

    monkeypatch.setattr(opening, "read_offer", counted)
    results = at_once(*[lambda q=q: open_order(quote=q, payout_address=ADDRESS, at=NOW) for q in quotes])
    return codes(results), len(read)


@pytest.mark.parametrize(("meanwhile", "judged_again"), [(0, 7), (1, 6), (2, 5), (3, 8)])
def test_what_was_judged_ahead_is_written_only_within_its_bounds(
    monkeypatch: pytest.MonkeyPatch, meanwhile: int, judged_again: int
) -> None:
    """Of three that fit, so many need no second look; three more ahead would not fit, so that then each is looked at."""
    found, read = _fill_the_pair(monkeypatch, meanwhile)

    assert found == ["Opened"] * 3 + ["reserve_promised"] * 5
    assert Promise.objects.count() == 3
    assert read == judged_again


def test_without_the_lock_more_would_be_written_than_fit(monkeypatch: pytest.MonkeyPatch, as_owner: Any) -> None:
    """The control run of the test above: each sees the promises of before, for as long as the others need to look too."""
    as_owner.execute(NO_LOCKS)
    as_owner.execute("SELECT pg_get_functiondef('orders_open'::regproc)")
    (text,) = as_owner.fetchone()
    looked = "IF there.coins"
    assert text.count(looked) == 1
    as_owner.execute(text.replace(looked, f"PERFORM pg_sleep(1.5); {looked}"))
    found, _read = _fill_the_pair(monkeypatch, 2)

    assert found.count("Opened") > 3


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
