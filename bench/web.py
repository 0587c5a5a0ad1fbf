"""Requests a second of the API beside a bare view, both under one gunicorn: prices, catalogue, opened orders."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier as BarrierType

CLIENTS = 4
SECONDS = 4
ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # from EIP-55
ORDER = {"amount_base": 0, "amount_quote": 1, "pair": {"name": "ETHLTC"}, "withdraw_address": {"address": ADDRESS}}


def stock() -> None:
    """Write what orders need: rates that stay fresh for the run, read chains, deep reserves; and the bare view's table."""
    from django.db import connections, transaction

    from core import clock
    from core.assets import get_asset
    from core.money import Money
    from ledger.post import Leg, NewEntry, post_entry
    from tests.beats import everything_works, give_coins
    from ticker.models import Market, MarketState, Pair
    from wallets.models import ChainState

    with connections["owner"].cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS plain")
        cursor.execute("CREATE TABLE IF NOT EXISTS plain.row (id bigserial PRIMARY KEY, body text)")
        cursor.execute("GRANT USAGE ON SCHEMA plain TO PUBLIC; GRANT ALL ON ALL TABLES IN SCHEMA plain TO PUBLIC")
        cursor.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA plain TO PUBLIC")
    now = clock.now()
    Pair.objects.using("owner").update(unfunded_cap_minor=None)
    for code, price in (("LTC-USD", "80"), ("ETH-USD", "2500")):
        facts = {"bid": Decimal(price), "ask": Decimal(price), "sources": ["bench"], "rate_at": now, "checked_at": now}
        MarketState.objects.update_or_create(market_id=code, defaults=facts)
    Market.objects.using("owner").update(max_age_s=3600)
    for code in ("litecoin", "ethereum"):
        facts = {"identity": code, "height": 10, "scan_started_at": now}
        ChainState.objects.update_or_create(code=code, defaults=facts)
    everything_works()
    give_coins("litecoin", 10**9 * 10**8, pieces=8)
    with transaction.atomic():
        for code in ("LTC", "ETH"):
            amount = Money(10**9 * 10 ** get_asset(code).scale, get_asset(code))
            legs = (Leg("chain:spendable", amount), Leg("capital", -amount))
            post_entry(NewEntry(f"bench:{code}:{now.isoformat()}", "capital", now, legs))


@contextmanager
def served() -> Iterator[int]:
    """Run gunicorn with two workers on a free loopback port; yield the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "gunicorn", "nexchange.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "2"]
    command += ["--threads", "4", "--no-control-socket", "--log-level", "error"]
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "bench.settings"}
    server = subprocess.Popen(command, env=env)
    try:
        for _ in range(100):
            try:
                _request(http.client.HTTPConnection("127.0.0.1", port, timeout=10), "GET", "/en/api/bare/", None)
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        server.wait(20)


def per_second(port: int, method: str, path: str, body: object = None) -> float:
    """Ask from CLIENTS processes for SECONDS; every answer must be a success. Returns answers a second."""
    context = get_context("spawn")
    gate, results = context.Barrier(CLIENTS), context.Queue()
    text = None if body is None else json.dumps(body)
    clients = [
        context.Process(target=_ask, args=(port, method, path, text, gate, results), daemon=True)
        for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    answered = [results.get(timeout=SECONDS + 60) for _ in clients]
    for client in clients:
        client.join()
    if any(isinstance(answer, str) for answer in answered):
        raise RuntimeError(next(answer for answer in answered if isinstance(answer, str)))
    return sum(answered) / SECONDS


def _ask(port: int, method: str, path: str, body: str | None, gate: BarrierType, results) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    _request(connection, method, path, body)
    gate.wait(30)
    done, end = 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        status, answer = _request(connection, method, path, body)
        if status not in (200, 201):
            results.put(f"{method} {path}: {status} {answer[:300]!r}")
            return
        done += 1
    results.put(done)


def _request(connection: http.client.HTTPConnection, method: str, path: str, body: str | None) -> tuple[int, bytes]:
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    answer = connection.getresponse()
    return answer.status, answer.read()
