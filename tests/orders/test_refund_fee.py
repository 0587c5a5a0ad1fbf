"""What a refund pays: the payment less the expected network fee, or all of it where the fault is ours; at the edge."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from core.errors import DomainError
from core.money import Money
from ledger.balances import find_imbalances, get_balance
from orders import policy, states
from orders.models import Order
from orders.offer import read_fees
from orders.refund import ask_refund, can_be_sent, plan_refund
from tests.orders.conftest import NOW
from tests.orders.rows import ETH_ADDRESS, LTC_ADDRESS, follow, open_one, pay, reload, send
from wallets import states as wallet_states
from wallets.chains.networks import find_network
from wallets.models import ChainState, Deposit, Payout

pytestmark = pytest.mark.usefixtures("site")
STORM = {"litecoin": 2_000, "ethereum": 40 * 10**9}  # litoshi per virtual byte, wei per gas: more than the dust costs
HOME = {"ETHLTC": LTC_ADDRESS, "LTCETH": ETH_ADDRESS}


@dataclass(frozen=True)
class Case:
    """`beyond`: how much of the payment is left after the fee, above the least that the network relays."""

    pair: str
    beyond: int
    sent: bool


CASES = [Case(pair, beyond, beyond >= 0) for pair in ("ETHLTC", "LTCETH") for beyond in (-1, 0, 1)]


def waiting(pair: str, beyond: int) -> tuple[Order, Deposit, Money, int]:
    """Return an order underpaid during a storm of fees, its deposit, the fee, and the least that can be sent."""
    order = open_one(pair=pair, send="2" if pair == "ETHLTC" else "0.1")
    for chain, rate in STORM.items():
        ChainState.objects.filter(code=chain).update(fee_rate_minor=rate)
    fee, least = read_fees(order.send_asset).expected, find_network(order.send_asset.network).least_output_minor
    assert fee.minor > order.send_asset.dust_minor
    return order, follow(pay(order, fee.minor + least + beyond)), fee, least


def ask(order: Order, deposit: Deposit) -> Payout:
    home = HOME["ETHLTC" if order.send_asset_id == "LTC" else "LTCETH"]
    return ask_refund(
        order_reference=order.reference,
        deposit_id=deposit.pk,
        address=home,
        address_repeated=home,
        at=NOW,
        actor="customer",
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_left_after_the_fee_is_sent_if_the_network_relays_it(case: Case) -> None:
    order, deposit, fee, least = waiting(case.pair, case.beyond)
    if not case.sent:
        with pytest.raises(DomainError) as refusal:
            ask(order, deposit)
        assert (refusal.value.code, refusal.value.context) == ("deposit_too_small", {"fee": str(fee)})
        assert not Payout.objects.exists()
        return

    plan = plan_refund(reload(order), [deposit], HOME[case.pair])
    assert (plan.amount.minor, plan.fee, plan.free) == (least + case.beyond, fee, False)
    assert plan.fee_cap == read_fees(order.send_asset).cap
    payout = ask(order, deposit)

    assert (payout.amount_minor, payout.fee_cap_minor) == (least + case.beyond, plan.fee_cap.minor)
    owed = get_balance(kind="customer", asset=order.send_asset, owner=order.reference).minor
    assert -owed == payout.amount_minor  # what is owed from then on is what is sent: the fee is earned
    assert get_balance(kind="revenue:network", asset=order.send_asset) == -fee
    assert not find_imbalances()


@pytest.mark.parametrize(("extra", "relayed"), [(-1, False), (0, True), (1, True)])
@pytest.mark.parametrize("pair", ["ETHLTC", "LTCETH"])
def test_a_network_relays_its_least_output(pair: str, extra: int, relayed: bool) -> None:
    asset = open_one(pair=pair, send="2" if pair == "ETHLTC" else "0.1").send_asset

    assert can_be_sent(Money(find_network(asset.network).least_output_minor + extra, asset)) is relayed


def test_a_payment_that_we_could_not_exchange_goes_back_whole() -> None:
    order = open_one()
    deposit = follow(pay(order))
    Order.objects.filter(pk=order.pk).update(
        hold_reason=states.LIQUIDITY, next_actor=states.CUSTOMER, deadline=NOW + timedelta(hours=1)
    )
    payout = ask(order, deposit)

    assert payout.amount_minor == order.send_minor
    assert get_balance(kind="revenue:network", asset=order.send_asset).minor == 0
    assert get_balance(kind="customer", asset=order.send_asset, owner=order.reference).minor == -order.send_minor
    assert get_balance(kind="customer", asset=order.get_asset, owner=order.reference).minor == 0
    back = reload(order)
    assert (back.state, back.hold_reason, back.next_actor) == (states.REFUNDING, states.NO_HOLD, states.MACHINE)
    assert back.deadline == NOW + policy.MACHINE_WINDOW
    assert not find_imbalances()


def test_nothing_goes_back_to_an_address_of_our_own() -> None:
    order, deposit, _fee, _least = waiting("ETHLTC", 1)
    ours = order.deposit_address
    with pytest.raises(DomainError) as refusal:
        ask_refund(
            order_reference=order.reference,
            deposit_id=deposit.pk,
            address=ours,
            address_repeated=ours,
            at=NOW,
            actor="customer",
        )

    assert refusal.value.code == "address_is_ours"
    assert not Payout.objects.exists()


@pytest.mark.parametrize("arrives", [True, False])
def test_a_refund_that_failed_and_was_asked_for_again_by_itself_ends_when_it_arrives(arrives: bool) -> None:
    order, deposit, _fee, _least = waiting("ETHLTC", 1)
    failed = ask(order, deposit)
    send(failed, wallet_states.REVERTED)
    assert (reload(order).state, reload(order).next_actor) == (states.REFUND_FAILED, states.OPERATOR)
    fields = {f.attname: getattr(failed, f.attname) for f in Payout._meta.concrete_fields if not f.primary_key}
    again = Payout.objects.create(**{**fields, "purpose": f"{failed.purpose}/2", "state": wallet_states.SIGNED})

    send(again, wallet_states.CONFIRMED if arrives else wallet_states.REVERTED)

    after = reload(order)
    assert after.state == (states.REFUNDED if arrives else states.REFUND_FAILED)
    assert after.next_actor == (states.NOBODY if arrives else states.OPERATOR)
    walked = list(order.transitions.order_by("seq").values_list("to_state", flat=True))
    assert walked[-2:] == ([states.REFUNDING, states.REFUNDED] if arrives else [states.REFUND_FAILED] * 2)
