"""Two workers at the same row at the same moment; each race is first shown to be real with the protection taken away."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connections

from ledger.models import Entry
from orders import credit, payout, states
from orders.models import Order
from tests.flows.conftest import Exchange
from wallets import send, sign
from wallets import states as wallet_states
from wallets.models import Attempt, Coin, CoinHold, Deposit, NonceHold, Payout
from wallets.paying.advice import gather_advice
from wallets.send import send_due_attempts
from wallets.sign import sign_payouts
from wallets.signer import pay

pytestmark = pytest.mark.node


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls in threads with connections of their own; return what each answered or the error it raised."""
    gate = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        try:
            gate.wait(10)
            results[place] = call()
        except Exception as error:  # noqa: BLE001 -- the error is the result under test
            results[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@pytest.fixture
def meet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any, str], None]]:
    """Make two threads wait for each other after a named function; with a lock in force the second never gets there."""

    def install(module: Any, name: str) -> None:
        original, barrier = getattr(module, name), threading.Barrier(2)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            with contextlib.suppress(threading.BrokenBarrierError):  # the other one is held by the lock: the point
                barrier.wait(1.5)
            return result

        monkeypatch.setattr(module, name, wrapped)

    yield install


def without_lock(*querysets: Any, skip_locked: bool = False) -> list[list[Any]]:
    return [list(queryset.order_by("pk")) for queryset in querysets]


def two_payouts(exchange: Exchange, pair: str) -> list[Order]:
    """Bring two orders to a requested payout that nobody has signed."""
    orders = [exchange.open(pair, "1" if pair == "ETHLTC" else "0.05").order for _ in range(2)]
    for order in orders:
        exchange.pay(order)
        exchange.node_of(order.send_asset.network).mine(1)
    source, target = orders[0].send_asset, orders[0].get_asset
    exchange.node_of(source.network).mine(4)
    exchange.scan(source.network)
    exchange.scan(target.network)
    credit.follow_deposits(chain=source.network, at=exchange.now())
    payout.request_payouts(asset=target.code, at=exchange.now())
    assert Payout.objects.filter(state=wallet_states.REQUESTED).count() == 2
    return orders


def sign_one_each(exchange: Exchange, chain: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Two signers at once, each beginning with another payout, so that only coin or nonce are what they both want."""
    first, second = Payout.objects.order_by("pk")

    def sign_it(wanted: Payout) -> bool:
        node = exchange.client_of(chain)
        return sign._sign_one(wanted.pk, wanted.address, node, gather_advice(node, at=exchange.now()))

    return at_once(lambda: sign_it(first), lambda: sign_it(second))


@pytest.mark.parametrize("pair", ["ETHLTC", "LTCETH"])
def test_two_payouts_wanting_one_coin_or_nonce_are_both_paid_with_different_ones(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, meet: Callable[[Any, str], None], pair: str
) -> None:
    exchange.fund("litecoin", 50 * 10**8)
    orders = two_payouts(exchange, pair)
    chain = orders[0].get_asset.network
    meet(pay, "sign_nonce" if chain == "ethereum" else "choose_coins")

    results = sign_one_each(exchange, chain, monkeypatch)

    assert results == [True, True]
    holds = NonceHold.objects.filter(payout__isnull=False) if chain == "ethereum" else CoinHold.objects.all()
    assert holds.count() == 2
    monkeypatch.undo()
    exchange.settle()
    for order in orders:
        assert exchange.payments_to(chain, order.payout_address) == [order.get_minor]


@pytest.mark.parametrize("pair", ["ETHLTC", "LTCETH"])
def test_without_the_lane_lock_both_want_the_same_and_the_unique_hold_stops_one(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, meet: Callable[[Any, str], None], pair: str
) -> None:
    """The control: the race is real, and the database itself is the second wall."""
    exchange.fund("litecoin", 50 * 10**8)
    orders = two_payouts(exchange, pair)
    chain = orders[0].get_asset.network
    meet(pay, "sign_nonce" if chain == "ethereum" else "choose_coins")
    monkeypatch.setattr(pay, "lock_rows", without_lock)

    results = sign_one_each(exchange, chain, monkeypatch)

    assert sorted(type(r).__name__ for r in results) == ["IntegrityError", "bool"]
    assert any(isinstance(r, IntegrityError) for r in results)
    assert Attempt.objects.count() == 1
    assert not Coin.objects.filter(attempt__payout__state=wallet_states.REQUESTED).exists()
    monkeypatch.undo()
    exchange.tick()
    exchange.settle()
    for order in orders:
        assert exchange.payments_to(chain, order.payout_address) == [order.get_minor]


def confirmed_deposit(exchange: Exchange) -> tuple[Order, Deposit]:
    order = exchange.open().order
    exchange.pay(order)
    exchange.litecoin.mine(4)
    exchange.scan("litecoin")
    return order, Deposit.objects.get(owner_ref=order.reference)


def follow_twice(exchange: Exchange, order: Order, deposit: Deposit) -> list[Any]:
    at = exchange.now()
    return at_once(*[lambda: credit.follow_deposit(deposit_id=deposit.pk, reference=order.reference, at=at)] * 2)


def test_two_workers_credit_one_deposit_once(exchange: Exchange, meet: Callable[[Any, str], None]) -> None:
    order, deposit = confirmed_deposit(exchange)
    meet(credit, "judge")

    assert sorted(follow_twice(exchange, order, deposit)) == [False, True]

    assert order.transitions.filter(reason="credited").count() == 1
    assert Entry.objects.filter(reason="exchange").count() <= 1
    assert exchange.reload(order).state == states.EXCHANGING


def test_without_the_row_lock_both_workers_decide(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, meet: Callable[[Any, str], None]
) -> None:
    """The control: unlocked, both judge the same deposit; only the unique rows and conditional moves stop the second."""
    order, deposit = confirmed_deposit(exchange)
    meet(credit, "judge")
    monkeypatch.setattr(credit, "lock_rows", without_lock)

    results = follow_twice(exchange, order, deposit)

    assert sorted(results, key=str) != [False, True]
    assert sum(isinstance(result, Exception) for result in results) == 1
    assert order.transitions.filter(reason="credited").count() == 1


@pytest.mark.parametrize("locked", [True, False])
def test_two_workers_ask_for_one_payout(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, meet: Callable[[Any, str], None], locked: bool
) -> None:
    """With the lock the second worker finds nothing to do; without it only the unique purpose stops it, with an error."""
    order, deposit = confirmed_deposit(exchange)
    credit.follow_deposit(deposit_id=deposit.pk, reference=order.reference, at=exchange.now())
    meet(payout, "_lock")
    if not locked:
        monkeypatch.setattr(payout, "lock_rows", without_lock)

    at = exchange.now()
    results = at_once(*[lambda: payout.request_order_payout(reference=order.reference, at=at)] * 2)

    if locked:
        assert sorted(results) == [False, True]
    else:
        assert sorted(type(r).__name__ for r in results) == ["IntegrityError", "bool"]
    assert Payout.objects.count() == 1


@pytest.mark.parametrize("claimed", [True, False])
def test_two_workers_send_one_attempt(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, meet: Callable[[Any, str], None], claimed: bool
) -> None:
    """The claim lets one worker send; without it both send the same bytes, which the node takes once all the same."""
    order, deposit = confirmed_deposit(exchange)
    credit.follow_deposit(deposit_id=deposit.pk, reference=order.reference, at=exchange.now())
    payout.request_order_payout(reference=order.reference, at=exchange.now())
    exchange.scan("ethereum")
    assert sign_payouts(node=exchange.client_of("ethereum"), at=exchange.now()) == 1
    meet(send, "frozen_scopes")
    if not claimed:
        monkeypatch.setattr(send, "_claim", lambda *_: True)
        meet(send, "_claim")
    at, sent = exchange.now(), []

    def work() -> int:
        node = exchange.client_of("ethereum")
        return send_due_attempts(node=node, at=at, step=lambda name: sent.append(name) if name == "sent" else None)

    results = at_once(work, work)

    assert sorted(results) == ([0, 1] if claimed else [1, 1])
    assert len(sent) == (1 if claimed else 2)
    monkeypatch.undo()
    exchange.settle()
    assert exchange.payments_to("ethereum", order.payout_address) == [order.get_minor]
