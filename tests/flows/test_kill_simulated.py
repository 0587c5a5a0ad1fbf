"""A worker stopped at any step, on simulated chains: what tests.flows.test_kill does with processes, in a second each."""

import itertools
from typing import NoReturn

import pytest
from django.conf import LazySettings
from django.db import transaction

from ledger.balances import find_imbalances
from orders import states
from orders.models import Order
from tests.exchange import ASSETS
from tests.flows.worker import STEPS, arm
from tests.simulated import SimulatedExchange
from wallets import states as wallet_states
from wallets.freeze import ALL, frozen_scopes, unfreeze
from wallets.journal import check_all
from wallets.models import Attempt, Payout
from wallets.safety.reconcile import reconcile_chain

PAIRS = {"ETHLTC": "1", "LTCETH": "0.05"}


class Killed(BaseException):
    """The end of a worker: whatever catches exceptions must not catch this one, as it would not a signal."""


def kill() -> NoReturn:
    raise Killed


def assert_paid_once(site: SimulatedExchange, order: Order) -> None:
    done = site.reload(order)
    assert done.state == states.COMPLETED
    payout = Payout.objects.get(owner_ref=done.reference)
    assert (payout.state, payout.amount_minor) == (wallet_states.CONFIRMED, done.get_minor)
    assert Attempt.objects.filter(payout=payout).count() == 1
    assert site.payments_to(done.get_asset.network, done.payout_address) == [done.get_minor]
    assert find_imbalances() == []
    for chain in ASSETS:
        site.scan(chain)
        assert reconcile_chain(node=site.client_of(chain), at=site.now()).difference.minor == 0


# The hook has a minute for everything: it stops a worker at each fifth step, the whole suite at every one.
STOPS = [
    pytest.param(step, pair, marks=[] if place % 5 == 0 else [pytest.mark.slow])
    for place, (step, pair) in enumerate(zip(STEPS, itertools.cycle(PAIRS)))
]


@pytest.mark.parametrize(("step", "pair"), STOPS)
def test_whoever_goes_on_pays_once(
    simulated: SimulatedExchange, monkeypatch: pytest.MonkeyPatch, step: str, pair: str
) -> None:
    order = simulated.open(pair, PAIRS[pair]).order
    simulated.pay(order)
    with monkeypatch.context() as patch:
        arm(STEPS[step], kill, patch.setattr)
        with pytest.raises(Killed):  # noqa: PT012 -- it dies in one of the rounds
            for _ in range(20):
                simulated.tick()
                simulated.mine(1)

    simulated.later(seconds=40)  # the claims of the dead one have run out
    simulated.settle()

    assert_paid_once(simulated, order)


def stop_before(site: SimulatedExchange, order: Order, patch: pytest.MonkeyPatch, moment: str) -> None:
    site.pay(order)
    with patch.context() as held:
        held.setattr("tests.exchange.sign_payouts", lambda **_: 0)
        if moment == "before the request":
            held.setattr("tests.exchange.request_payouts", lambda **_: 0)
        site.settle()


@pytest.mark.parametrize(("pair", "moment"), [("ETHLTC", "before the request"), ("LTCETH", "before the signature")])
def test_an_old_backup_pays_nobody_twice(
    simulated: SimulatedExchange, monkeypatch: pytest.MonkeyPatch, settings: LazySettings, pair: str, moment: str
) -> None:
    order = simulated.open(pair, PAIRS[pair]).order
    chain = order.get_asset.network
    stop_before(simulated, order, monkeypatch, moment)
    backup = transaction.savepoint()
    simulated.settle()
    assert simulated.reload(order).state == states.COMPLETED

    transaction.savepoint_rollback(backup)
    assert not Attempt.objects.exists()
    assert not check_all(at=simulated.now())
    assert ALL in frozen_scopes()
    simulated.settle()
    assert simulated.payments_to(chain, order.payout_address) == [order.get_minor]
    assert not Attempt.objects.exists()

    # Lifted without an explanation it comes back before the next payment.
    unfreeze(scope=ALL, because="nothing", at=simulated.now(), by="test")
    simulated.settle()
    assert ALL in frozen_scopes()
    assert simulated.payments_to(chain, order.payout_address) == [order.get_minor]
