"""A swap each way on real nodes: what was promised, what is on the chain and what is in the books are one number."""

import pytest

from core.assets import get_asset
from ledger.balances import get_balance
from orders import states
from tests.flows.conftest import Exchange
from wallets.safety.reconcile import reconcile_chain


@pytest.mark.parametrize(("pair", "send"), [("ETHLTC", "1.5"), ("LTCETH", "0.05")])
def test_promised_paid_and_booked_are_the_same(exchange: Exchange, pair: str, send: str) -> None:
    order = exchange.open(pair, send).order
    exchange.pay(order)
    exchange.tick()
    assert exchange.reload(order).state == states.CONFIRMING

    exchange.settle()

    done = exchange.reload(order)
    (payout,) = exchange.payouts(done)
    assert (done.state, done.exception) == (states.COMPLETED, states.NONE)
    assert exchange.paid(done) == done.get_minor == done.credited_get_minor == payout.amount_minor
    assert get_balance(kind="customer", asset=get_asset(done.get_asset_id), owner=done.reference).minor == 0
    assert get_balance(kind="customer", asset=get_asset(done.send_asset_id), owner=done.reference).minor == 0
    assert [t.to_state for t in done.transitions.order_by("seq")] == [
        states.AWAITING_DEPOSIT,
        states.CONFIRMING,
        states.EXCHANGING,
        states.PAYING,
        states.SENT,
        states.COMPLETED,
    ]
    for chain in ("litecoin", "ethereum"):
        exchange.scan(chain)
        assert reconcile_chain(node=exchange.client_of(chain), at=exchange.now()).difference.minor == 0
