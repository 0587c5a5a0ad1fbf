"""How fast confirmed deposits become broadcast payouts: 500 of them, from 40 prepared coins, blocks mined meanwhile.

Run by bin/bench; prints its figures. The deposits are rows as a scan would leave them; everything after that is real:
crediting, reserving, signing, the journal with fsync, the node.
"""

import multiprocessing
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection, connections, transaction

from core import clock
from ledger.post import post_entries
from orders.credit import follow_deposits
from orders.models import Order
from orders.open import open_order
from orders.payout import follow_payouts, request_payouts
from orders.quotes import make_quote
from tests.flows.conftest import Exchange, exchange  # noqa: F401 -- fixtures
from wallets.deposits import deposit_entry
from wallets.models import Address, ChainState, Deposit, Payout
from wallets.send import send_due_attempts
from wallets.sign import sign_payouts

ORDERS = int(os.environ.get("BENCH_ORDERS", "500"))
AT_ONCE = 100
BLOCK_EVERY_S, LONGEST_S = 2, 240


def _prepare(site: Exchange, count: int) -> None:
    """Open `count` orders that pay out LTC, and write their deposits as the scan leaves confirmed ones."""
    for number in range(count):
        if number % 50 == 0:
            site.price()
        at = site.now()
        quote = make_quote(pair="LTCETH", send="0.0025", at=at)
        open_order(quote=quote, payout_address=site.litecoin.miner, at=at)
    height = ChainState.objects.get(code="ethereum").height
    with transaction.atomic():
        for order in Order.objects.filter(state="AWAITING_DEPOSIT").select_related("send_asset"):
            address = Address.objects.get(chain="ethereum", owner_ref=order.reference)
            deposit = Deposit.objects.create(
                chain="ethereum",
                txid=f"0x{order.pk:064x}",
                position="native",
                asset=order.send_asset,
                address=address,
                owner_ref=order.reference,
                amount_minor=order.send_minor,
                state="CONFIRMED",
                first_seen_at=order.created_at,
                confirmed_at=order.created_at,
                block_height=height,
                news=True,
            )
            post_entries([deposit_entry(deposit, at=order.created_at)])


def _credit_for_ever(stop: Any) -> None:
    """The worker of the deposits' chain, a process of its own: credit what is confirmed and ask for its payout."""
    connections.close_all()
    while not stop.is_set():
        at = clock.now()
        ChainState.objects.update(scan_started_at=at)  # the scans run in workers of their own
        if not follow_deposits(chain="ethereum", at=at, limit=25) + request_payouts(asset="LTC", at=at, limit=25):
            time.sleep(0.02)


def _pay(site: Exchange) -> None:
    """The worker of the paying chain, as wallets.tasks and orders.tasks have it: sign and send, then follow."""
    node = site.client_of("litecoin")
    started = time.monotonic()
    while sign_payouts(node=node, at=site.now(), limit=25) and time.monotonic() - started < BLOCK_EVERY_S:
        send_due_attempts(node=node, at=site.now())
    send_due_attempts(node=node, at=site.now())
    follow_payouts(chain="litecoin", at=site.now())


def _drain(site: Exchange, count: int) -> list[float]:
    """Work until `count` more payouts are broadcast; return seconds from the start to each, in order."""
    sent = Payout.objects.exclude(state__in=("REQUESTED", "SIGNED"))
    before = sent.count()
    connections.close_all()
    stop = multiprocessing.get_context("fork").Event()
    crediting = multiprocessing.get_context("fork").Process(target=_credit_for_ever, args=(stop,), daemon=True)
    crediting.start()
    started, times = time.monotonic(), []
    mined = started
    while len(times) < count:
        _pay(site)
        now = time.monotonic()
        times += [now - started] * (sent.count() - before - len(times))
        if now - mined > BLOCK_EVERY_S:
            site.litecoin.mine(1)
            site.scan("litecoin")
            mined = now
        assert now - started < LONGEST_S, list(Payout.objects.exclude(problem="").values_list("problem")[:1])
    stop.set()
    crediting.join(10)
    return times


@pytest.fixture
def roomy(settings: LazySettings) -> Iterator[None]:
    settings.PROMISES_PER_CLIENT = 10**6
    settings.PROMISED_SHARE_PERCENT = 100
    yield


def test_drain(roomy: None, exchange: Exchange, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    exchange.fund("litecoin", 3 * 10**8, times=40)
    _prepare(exchange, ORDERS)
    times = _drain(exchange, ORDERS)
    _prepare(exchange, AT_ONCE)
    burst = sorted(_drain(exchange, AT_ONCE))
    with connection.cursor() as cursor:
        cursor.execute("SHOW fsync")
        fsync = cursor.fetchone()[0]
    with capsys.disabled():
        print(f"\n{clock.now():%H:%M:%S} load {os.getloadavg()[0]:.2f}, fsync {fsync}")
        print(f"payouts drained: {ORDERS} in {times[-1]:.1f} s = {ORDERS / times[-1]:.1f} a second (aim 20)")
        print(f"100 at once: 95 % broadcast within {burst[94]:.2f} s (aim 5), all within {burst[-1]:.2f} s")
