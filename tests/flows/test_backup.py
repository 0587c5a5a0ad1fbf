"""An old backup is restored after a payout: it is not paid a second time, before the operator has looked or after."""

from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connections

from orders import states
from orders.models import Order
from tests.databases import TestDatabase
from tests.flows.conftest import ASSETS, Exchange
from wallets import states as wallet_states
from wallets.freeze import ALL, frozen_scopes, list_open
from wallets.journal import check_all
from wallets.models import Attempt, Payout

pytestmark = pytest.mark.node


class Backup:
    """A copy of the run's database, files and all; restoring replaces the database by it."""

    def __init__(self, database: TestDatabase) -> None:
        self.database, self.name = database, f"{database.name}_backup"

    def take(self) -> None:
        self._copy(self.database.name, self.name)

    def restore(self) -> None:
        self.database.drop()
        self._copy(self.name, self.database.name)

    def drop(self) -> None:
        with self.database._maintenance() as server, server.cursor() as cursor:
            self.database._run(cursor, "DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)

    def _copy(self, source: str, target: str) -> None:
        connections.close_all()
        with self.database._maintenance() as server, server.cursor() as cursor:
            self.database._run(cursor, "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", target, source)


@pytest.fixture
def backup(exchange: Exchange, test_database: TestDatabase) -> Iterator[Backup]:
    made = Backup(test_database)
    yield made
    made.drop()


def go_on(exchange: Exchange, rounds: int = 6) -> None:
    """Do what the timetable does; a scan may report a problem here."""
    for _ in range(rounds):
        exchange.mine(2)
        exchange.tick()


def stop_before(exchange: Exchange, order: Order, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Bring a paid order to the moment of the backup: not requested yet, or requested and not signed."""
    exchange.pay(order)
    with monkeypatch.context() as patch:
        patch.setattr("tests.exchange.sign_payouts", lambda **_: 0)
        if moment == "before the request":
            patch.setattr("tests.exchange.request_payouts", lambda **_: 0)
        go_on(exchange, 3)
    wanted = states.EXCHANGING if moment == "before the request" else states.PAYING
    assert exchange.reload(order).state == wanted


@pytest.mark.parametrize("moment", ["before the request", "before the signature"])
@pytest.mark.parametrize("pair", ["ETHLTC", "LTCETH"])
def test_an_old_backup_pays_nobody_twice(
    exchange: Exchange,
    backup: Backup,
    monkeypatch: pytest.MonkeyPatch,
    settings: LazySettings,
    pair: str,
    moment: str,
) -> None:
    exchange.fund("litecoin", 50 * 10**8)
    settings.CHAIN_RPC_URLS = {chain: exchange.node_of(chain).url for chain in ASSETS}
    order = exchange.open(pair, "1" if pair == "ETHLTC" else "0.05").order
    chain = order.get_asset.network
    stop_before(exchange, order, monkeypatch, moment)
    since = exchange.client_of(chain).tip().height
    backup.take()
    go_on(exchange)
    assert exchange.reload(order).state == states.COMPLETED
    txid = Payout.objects.get().txid

    backup.restore()
    assert not Attempt.objects.exists()
    assert not check_all(at=exchange.now())
    assert ALL in frozen_scopes()
    go_on(exchange)
    assert exchange.payments_to(chain, order.payout_address) == [order.get_minor]
    assert not Attempt.objects.exists()
    assert Payout.objects.get().state == wallet_states.REQUESTED

    with pytest.raises(CommandError, match=txid):
        call_command("reconcile", chain=[chain], since=since)
    with pytest.raises(CommandError, match="--because"):
        call_command("freeze", ALL, lift=True)
    assert ALL in frozen_scopes()

    for row in list_open():
        call_command("freeze", str(row.pk), lift=True, because="reconciled by hand")
    assert check_all(at=exchange.now())
    go_on(exchange, 4)
    assert ALL not in frozen_scopes()
    assert exchange.payments_to(chain, order.payout_address) == [order.get_minor]
    assert "paid already" in Payout.objects.get().problem
