"""What may be sold, paid and sent back, through the whole flow on simulated chains: at the edge, one unit below, one above.

With tests/flows/test_edges.py a sample of every rule that decides about money: there what becomes of a deposit, here minimum
and maximum, promise, ceiling, trust, maturity, the depth of a reorganisation, the fee of a refund. Freezes, and what they
stop, are in tests/flows/test_alarms.py.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import LazySettings

from core.assets import confirmations_required, get_asset
from core.errors import DomainError
from core.money import Money
from orders import states
from orders.models import Order
from orders.offer import get_limits, read_fees
from orders.refund import DepositTooSmall, ask_refund
from tests.simulated import SimulatedExchange
from wallets import states as wallet_states
from wallets.addresses import house_address
from wallets.chains.networks import find_network
from wallets.freeze import frozen_scopes
from wallets.models import Attempt, Coin, Deposit

PAIRS = {"ETHLTC": "1", "LTCETH": "0.05"}


def open_or_refusal(site: SimulatedExchange, pair: str, send: Money) -> Order | str:
    try:
        return site.open(pair, send.format()).order
    except DomainError as refusal:
        return refusal.code


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("extra", [-1, 0, 1])
@pytest.mark.parametrize("edge", ["least", "most"])
def test_minimum_and_maximum(simulated: SimulatedExchange, pair: str, edge: str, extra: int) -> None:
    simulated.price()
    limits = get_limits(pair=pair, at=simulated.now())
    bound = limits.min_send if edge == "least" else limits.max_send
    asked = Money(bound.minor + extra * bound.asset.quote_step, bound.asset)
    order = open_or_refusal(simulated, pair, asked)

    if extra == (-1 if edge == "least" else 1):
        assert order == ("amount_below_minimum" if edge == "least" else "amount_above_maximum")
        return
    assert isinstance(order, Order), order
    simulated.pay(order)
    simulated.tick()
    simulated.settle()
    assert simulated.reload(order).state == states.COMPLETED
    assert simulated.paid(order) == order.get_minor


@pytest.mark.parametrize(("extra", "sold"), [(-1, True), (0, True), (1, False)])
def test_what_is_promised_is_not_promised_twice(simulated: SimulatedExchange, extra: int, sold: bool) -> None:
    """The second order may have what the first one left, to the unit, and both are paid."""
    first = simulated.open("ETHLTC", "1").order
    simulated.price()
    left = get_limits(pair="ETHLTC", at=simulated.now()).max_send
    second = open_or_refusal(simulated, "ETHLTC", Money(left.minor + extra, left.asset))
    assert isinstance(second, Order) is sold, second
    for order in (first, second):
        if isinstance(order, Order):
            simulated.pay(order)
    simulated.tick()
    simulated.settle()
    for order in (first, second):
        if isinstance(order, Order):
            assert simulated.paid(order) == order.get_minor


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(("below", "signed"), [(-1, True), (0, True), (1, False)])
def test_ceiling_of_one_payout(
    simulated: SimulatedExchange, settings: LazySettings, pair: str, below: int, signed: bool
) -> None:
    """The ceiling counts the payout with the most that its fee may be; one unit above waits for a person, and is paid then."""
    order = simulated.open(pair, PAIRS[pair]).order
    simulated.pay(order)
    simulated.node_of(order.send_asset.network).mine(14)
    chain, asset = order.get_asset.network, get_asset(order.get_asset_id)
    need = order.get_minor + order.fee_cap_minor
    ceiling = Money(need - below, asset).format()
    usual = settings.CEILINGS
    settings.CEILINGS = usual | {chain: usual[chain] | {"payout": ceiling}}
    for _ in range(3):
        simulated.tick()

    (payout,) = simulated.payouts(order)
    assert Attempt.objects.exists() is signed, payout.problem
    assert payout.problem.startswith("ceiling") is not signed
    settings.CEILINGS = usual
    simulated.settle()
    assert simulated.payments_to(chain, order.payout_address) == [order.get_minor]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(("older_s", "paid"), [(-1, True), (0, True), (1, False)])
def test_trust_in_a_tip(
    simulated: SimulatedExchange, settings: LazySettings, pair: str, older_s: int, paid: bool
) -> None:
    """A node whose latest block is older than allowed credits and pays nothing, and goes on by itself with the next block."""
    order = simulated.open(pair, PAIRS[pair]).order
    simulated.pay(order)
    chain = order.get_asset.network
    simulated.node_of(order.send_asset.network).mine(14)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.exchange.sign_payouts", lambda **_: 0)
        simulated.tick()
        simulated.tick()
    node = simulated.client_of(chain)
    node.blocks[-1] = replace(node.blocks[-1], at=simulated.now() - age(settings, chain) - timedelta(seconds=older_s))
    from wallets.sign import sign_payouts

    sign_payouts(node=node, at=simulated.now())
    assert Attempt.objects.filter(payout__owner_ref=order.reference).exists() is paid
    simulated.settle()
    assert simulated.payments_to(chain, order.payout_address) == [order.get_minor]


def age(settings: LazySettings, chain: str) -> timedelta:
    return timedelta(seconds=settings.MAX_TIP_AGE_SECONDS[chain])


@pytest.mark.parametrize(("missing", "spendable"), [(1, False), (0, True), (-1, True)])
def test_maturity(simulated: SimulatedExchange, missing: int, spendable: bool) -> None:
    """A payment out of MWEB is ours after six blocks: one block earlier no payout is signed from it."""
    node = simulated.litecoin
    Coin.objects.filter(chain="litecoin").update(usable=False)  # it is the only coin
    address = house_address(chain="litecoin", at=simulated.now()).address
    node.peg_out(address, 20 * 10**8)
    node.mine(1)
    node.mine(6 - missing)
    simulated.scan("litecoin")
    order = open_or_refusal(simulated, "LTCETH", Money.parse("0.05", get_asset("ETH")))

    if not spendable:
        assert order == "liquidity_short"
        return
    assert isinstance(order, Order), order
    simulated.pay(order)
    simulated.tick()
    simulated.settle()
    assert simulated.payments_to("litecoin", order.payout_address) == [order.get_minor]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(("deeper", "stops"), [(-1, False), (0, True), (1, True)])
def test_depth_of_a_reorganisation(simulated: SimulatedExchange, pair: str, deeper: int, stops: bool) -> None:
    """As deep as what we credited: then what this chain's deposits fund stops. A block less takes nothing back."""
    order = simulated.open(pair, PAIRS[pair]).order
    chain = order.send_asset.network
    simulated.pay(order)
    depth = confirmations_required(get_asset(order.send_asset_id))
    simulated.node_of(chain).mine(depth)
    for _ in range(3):
        simulated.tick()
    assert Deposit.objects.get(owner_ref=order.reference).state == wallet_states.CONFIRMED

    simulated.node_of(chain).reorganise(depth + deeper, keep=False)
    simulated.tick()

    assert (f"from:{order.send_asset_id}" in frozen_scopes()) is stops
    assert (Deposit.objects.get(owner_ref=order.reference).state != wallet_states.CONFIRMED) is stops


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(("extra", "sent"), [(-1, False), (0, True), (1, True)])
def test_fee_of_a_refund(simulated: SimulatedExchange, pair: str, extra: int, sent: bool) -> None:
    """What is left after the fee must be something that the network relays; less is not lost, and waits."""
    order = simulated.open(pair, PAIRS[pair]).order
    asset, chain = order.send_asset, order.send_asset.network
    node, usual = simulated.node_of(chain), 10 if chain == "litecoin" else 10**9
    dear = usual * (asset.dust_minor // read_fees(asset).expected.minor * 4 + 4)  # a refund costs more than dust is
    charge(simulated, chain, dear)
    least = read_fees(asset).expected.minor + find_network(chain).least_output_minor
    assert least > asset.dust_minor
    charge(simulated, chain, usual)
    node.send(order.deposit_address, least + extra)
    node.mine(14)
    charge(simulated, chain, dear)
    simulated.tick()
    (deposit,) = Deposit.objects.filter(owner_ref=order.reference)
    assert deposit.disposition == wallet_states.WAITING
    address = node.new_address()
    wanted = {"order_reference": order.reference, "deposit_id": deposit.pk, "at": simulated.now(), "actor": "customer"}

    if not sent:
        with pytest.raises(DepositTooSmall):
            ask_refund(address=address, address_repeated=address, **wanted)
        deposit.refresh_from_db()
        assert deposit.disposition == wallet_states.WAITING
        return
    payout = ask_refund(address=address, address_repeated=address, **wanted)
    assert payout.amount_minor == least + extra - read_fees(asset).expected.minor
    charge(simulated, chain, usual)
    simulated.settle()
    assert node.received(address) == payout.amount_minor


def charge(site: SimulatedExchange, chain: str, rate: int) -> None:
    """Let the chain ask another fee, and the site know it."""
    site.node_of(chain).charge(rate)
    site.node_of(chain).mine(1)
    site.scan(chain)
