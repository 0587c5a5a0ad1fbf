"""What a contract paid is found late: the books have taken it in by then, as nobody's, or by hand as an order's."""

import pytest

from core.assets import get_asset
from ledger.balances import get_balance
from orders import states
from orders.models import Order
from tests.simulated import SimulatedExchange
from wallets.freeze import list_open
from wallets.models import Deposit
from wallets.safety.house import HouseRefused, assign_to_order, assign_unidentified
from wallets.safety.reconcile import reconcile_chain


def nobodys() -> int:
    return -get_balance(kind="unidentified", asset=get_asset("ETH")).minor


def pay_unseen(site: SimulatedExchange) -> tuple[Order, str]:
    """Return an order that a contract paid in a block whose traces could not be had; its coins are booked as nobody's."""
    order = site.open("LTCETH", "0.05").order
    txid = site.ethereum.send_internal(order.deposit_address, order.send_minor)
    site.ethereum.untraceable.add(txid)
    site.ethereum.mine(6)
    site.tick()
    assert not Deposit.objects.filter(owner_ref=order.reference).exists()
    assert reconcile_chain(node=site.ethereum, at=site.now()).difference.minor == order.send_minor
    assert nobodys() == order.send_minor
    return order, txid


def find_it(site: SimulatedExchange) -> None:
    site.ethereum.untraceable.clear()
    site.later(minutes=2)
    site.price()
    site.tick()


@pytest.mark.parametrize("when", ["seen", "confirmed"])
def test_it_is_the_orders_and_nobodys_no_more(simulated: SimulatedExchange, when: str) -> None:
    order, _txid = pay_unseen(simulated)

    find_it(simulated)
    if when == "confirmed":
        simulated.settle()
    for _ in range(2):
        assert reconcile_chain(node=simulated.ethereum, at=simulated.now()).difference.minor == 0
    simulated.settle()

    assert (list_open(), nobodys()) == ([], 0)
    assert simulated.reload(order).state == states.COMPLETED
    assert reconcile_chain(node=simulated.ethereum, at=simulated.now()).difference.minor == 0


def test_what_is_missing_besides_still_stops_the_asset(simulated: SimulatedExchange) -> None:
    order, _txid = pay_unseen(simulated)
    find_it(simulated)
    simulated.ethereum.rules.balances[order.deposit_address] -= 1

    found = reconcile_chain(node=simulated.ethereum, at=simulated.now())

    assert found.difference.minor == -1
    assert [freeze.scope for freeze in list_open()] == ["ETH"]


def test_what_was_taken_into_the_capital_meanwhile_is_a_persons_to_put_right(simulated: SimulatedExchange) -> None:
    order, _txid = pay_unseen(simulated)
    assign_unidentified(asset=get_asset("ETH"), minor=1, number="1", at=simulated.now(), post=True)

    find_it(simulated)

    assert reconcile_chain(node=simulated.ethereum, at=simulated.now()).difference.minor == -order.send_minor
    assert [freeze.scope for freeze in list_open()] == ["ETH"]


def test_what_a_person_made_a_deposit_of_is_not_credited_once_more(simulated: SimulatedExchange) -> None:
    order, txid = pay_unseen(simulated)
    fields = {"node": simulated.ethereum, "txid": txid, "owner_ref": order.reference, "minor": order.send_minor}
    assign_to_order(**fields, at=simulated.now(), post=True)

    find_it(simulated)
    simulated.settle()

    assert Deposit.objects.filter(owner_ref=order.reference).count() == 1
    assert simulated.reload(order).state == states.COMPLETED
    assert reconcile_chain(node=simulated.ethereum, at=simulated.now()).difference.minor == 0
    with pytest.raises(HouseRefused):
        assign_to_order(**fields, at=simulated.now(), post=True)
