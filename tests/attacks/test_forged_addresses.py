"""Rows of addresses that our key does not make: web may insert them, and nothing is built on what they hold."""

import pytest

from tests.simulated import SimulatedExchange
from tests.wallets.test_stuck_payouts import check_paid_once, settle, want_payout
from wallets.models import Address, Coin, CoinHold, Deposit, Freeze
from wallets.safety.reconcile import reconcile_chain


def forge_address(site: SimulatedExchange, chain: str, address: str, owner: str = "OFORGED0000000001") -> Address:
    return Address.objects.create(
        chain=chain, address=address, account=0, branch=0, index=10**6, owner_ref=owner, created_at=site.now()
    )


def test_a_coin_that_is_not_ours_pays_nobody(simulated: SimulatedExchange) -> None:
    """It was the smallest that sufficed: a payout was signed with it that no node takes, and that never dies either."""
    foreign = simulated.litecoin.new_address()
    forge_address(simulated, "litecoin", foreign)
    simulated.litecoin.send(foreign, 3 * 10**8)
    simulated.litecoin.mine(4)
    simulated.scan("litecoin")
    txid = Deposit.objects.get(owner_ref="OFORGED0000000001").txid
    assert not Coin.objects.get(txid=txid).usable

    order = want_payout(simulated, "litecoin")
    assert not CoinHold.objects.filter(txid=txid).exists()
    simulated.litecoin.mine(4)
    simulated.tick()
    assert simulated.paid(order) == order.get_minor

    simulated.litecoin.reorganise(8)
    simulated.scan("litecoin")
    assert not Coin.objects.get(txid=txid).usable  # nor when it is mined again


@pytest.mark.parametrize("owner", ["", "OFORGED0000000001"])
def test_what_a_stranger_holds_is_not_booked_as_ours(simulated: SimulatedExchange, owner: str) -> None:
    """A rich stranger's balance came into the books as unidentified, and froze ether when the stranger spent it."""
    rich = simulated.ethereum.new_address()
    simulated.ethereum.send(rich, 10**22)
    simulated.ethereum.mine(4)
    simulated.scan("ethereum")
    forge_address(simulated, "ethereum", rich, owner)

    found = reconcile_chain(node=simulated.client_of("ethereum"), at=simulated.now())
    assert (found.difference.minor, found.strange) == (0, {})
    assert found.forgeries == (f"address {rich} is not derived from our key",)
    assert Freeze.objects.get().reason.endswith(found.forgeries[0])


def test_a_customers_address_that_somebody_called_ours_is_paid_all_the_same(simulated: SimulatedExchange) -> None:
    order = simulated.open().order
    forge_address(simulated, "ethereum", order.payout_address)
    simulated.pay(order)
    settle(simulated)
    check_paid_once(simulated, order)
