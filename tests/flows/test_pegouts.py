"""A customer who pays out of MWEB: in time is in time, and the order shows the transaction that the customer made."""

from datetime import timedelta

import pytest

from orders import states
from orders.policy import PAYMENT_WINDOW
from orders.reads import build_view
from tests.simulated import SimulatedExchange
from wallets.chains.networks import find_network
from wallets.models import Deposit
from wallets.states import DUST

SECOND = timedelta(seconds=1)
WINDOW = find_network("litecoin").first_confirmation


@pytest.mark.parametrize(
    ("early", "mined_after", "state"),
    [
        (SECOND, WINDOW, states.COMPLETED),
        (SECOND, WINDOW + SECOND, states.CONFIRMING),
        (timedelta(0), SECOND, states.CONFIRMING),
    ],
)
def test_paid_in_time_and_mined_after_the_deadline(
    simulated: SimulatedExchange, early: timedelta, mined_after: timedelta, state: str
) -> None:
    order = simulated.open().order
    simulated.offset = PAYMENT_WINDOW - early - timedelta(minutes=1)
    simulated.mine(1)
    simulated.tick()
    simulated.offset = PAYMENT_WINDOW - early
    txid = simulated.litecoin.peg_out(order.deposit_address, order.send_minor)
    simulated.tick()
    simulated.offset += mined_after
    simulated.mine(1)
    simulated.settle()

    done = simulated.reload(order)
    assert done.state == state
    assert done.exception == (states.NONE if state == states.COMPLETED else states.PAID_LATE)
    deposit = Deposit.objects.get(owner_ref=order.reference)
    done.send_asset.explorer_tx_url = "https://explorer.example/tx/{txid}"
    (shown,) = build_view(done, at=simulated.now(), is_owner=True).deposits
    assert (shown.txid, shown.explorer_url) == (txid, f"https://explorer.example/tx/{txid}")
    assert txid != deposit.txid
    (hidden,) = build_view(done, at=simulated.now(), is_owner=False).deposits
    assert (hidden.txid, hidden.explorer_url) == ("", "")


def test_dust_out_of_mweb_names_no_transaction(simulated: SimulatedExchange) -> None:
    order = simulated.open().order
    simulated.litecoin.peg_out(order.deposit_address, order.send_asset.dust_minor)
    simulated.tick()
    simulated.settle()

    (shown,) = build_view(simulated.reload(order), at=simulated.now(), is_owner=True).deposits
    assert (shown.disposition, shown.txid) == (DUST, "")
    assert Deposit.objects.get(owner_ref=order.reference).paid_by_txid
