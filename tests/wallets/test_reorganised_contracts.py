"""A reorganisation lets the same transaction say something else: what a contract pays is decided by the block it is in."""

from core.money import Money
from orders import states
from orders.models import Order
from tests.simulated import SimulatedExchange
from wallets import states as wallet_states
from wallets.chains.fake_rules import AccountRules
from wallets.chains.protocol import Movement
from wallets.models import Attempt, Deposit
from wallets.safety.reconcile import reconcile_chain


def pay_by_contract(site: SimulatedExchange, order: Order) -> str:
    return site.ethereum.send_internal(order.deposit_address, order.send_minor)


def pays_instead(site: SimulatedExchange, txid: str, *movements: tuple[str, int]) -> None:
    """Let the contract pay others, or other amounts, in the next block that holds its transaction."""
    assert isinstance(site.ethereum.rules, AccountRules)
    moves = tuple(Movement(f"t{place}", *movement) for place, movement in enumerate(movements))
    site.ethereum.rules.internal[txid] = moves


def test_less_in_the_block_that_stays_is_what_was_paid(simulated: SimulatedExchange) -> None:
    order = simulated.open("LTCETH", "0.05").order
    txid = pay_by_contract(simulated, order)
    simulated.ethereum.mine(1)
    simulated.tick()
    assert Deposit.objects.get(owner_ref=order.reference).amount_minor == order.send_minor

    pays_instead(simulated, txid, (order.deposit_address, 1000))
    simulated.ethereum.reorganise(1)
    simulated.settle()

    assert simulated.paid(order) == 0
    assert simulated.reload(order).state != states.COMPLETED
    confirmed = Deposit.objects.filter(owner_ref=order.reference, state=wallet_states.CONFIRMED)
    assert [deposit.amount_minor for deposit in confirmed] == [1000]
    gone = Deposit.objects.get(owner_ref=order.reference, amount_minor=order.send_minor)
    assert (gone.state, gone.block_height, gone.disposition) == (wallet_states.REMOVED, None, "")
    assert reconcile_chain(node=simulated.ethereum, at=simulated.now()).difference.minor == 0


def test_another_order_in_the_block_that_stays_is_the_one_that_was_paid(simulated: SimulatedExchange) -> None:
    first, second = (simulated.open("LTCETH", "0.05").order for _ in range(2))
    txid = pay_by_contract(simulated, first)
    simulated.ethereum.mine(1)
    simulated.tick()

    pays_instead(simulated, txid, (second.deposit_address, second.send_minor))
    simulated.ethereum.reorganise(1)
    simulated.settle()

    assert [simulated.paid(order) for order in (first, second)] == [0, second.get_minor]
    assert simulated.reload(first).state == states.AWAITING_DEPOSIT


def test_a_payment_that_the_block_that_stays_does_not_make_is_gone(simulated: SimulatedExchange) -> None:
    order = simulated.open("LTCETH", "0.05").order
    txid = pay_by_contract(simulated, order)
    simulated.ethereum.mine(1)
    simulated.tick()
    assert simulated.reload(order).state == states.CONFIRMING

    pays_instead(simulated, txid)
    simulated.ethereum.reorganise(1)
    simulated.tick()

    assert Deposit.objects.get(owner_ref=order.reference).state == wallet_states.REMOVED
    assert simulated.reload(order).state == states.AWAITING_DEPOSIT


def test_what_comes_back_as_it_was_is_the_payment_that_was_seen_first(simulated: SimulatedExchange) -> None:
    order = simulated.open("LTCETH", "0.05").order
    txid = pay_by_contract(simulated, order)
    simulated.ethereum.mine(1)
    simulated.tick()
    for depth, minor in enumerate((1000, order.send_minor), start=1):
        pays_instead(simulated, txid, (order.deposit_address, minor))
        simulated.ethereum.reorganise(depth)
        simulated.tick()
    simulated.settle()

    assert simulated.paid(order) == order.get_minor
    rows = Deposit.objects.filter(owner_ref=order.reference).order_by("pk")
    assert list(rows.values_list("amount_minor", "state")) == [
        (order.send_minor, wallet_states.CONFIRMED),
        (1000, wallet_states.REMOVED),
    ]


def test_what_a_payout_of_ours_lets_a_contract_pay_to_an_order_is_its_deposit(simulated: SimulatedExchange) -> None:
    """The owner of one order gave a contract as payout address that passes all of it on to another order."""
    forwarder = simulated.ethereum.new_address()
    first = simulated.open(payout_address=forwarder).order
    second = simulated.open("LTCETH", str(Money(first.get_minor, first.get_asset).to_decimal())).order
    simulated.pay(first)
    simulated.litecoin.mine(14)
    simulated.tick()
    simulated.tick()
    pays_instead(simulated, Attempt.objects.get().txid, (second.deposit_address, first.get_minor))
    simulated.ethereum.rules.balances[forwarder] = -first.get_minor  # it has passed on what it is about to get

    simulated.settle()

    assert [simulated.reload(order).state for order in (first, second)] == [states.COMPLETED] * 2
    assert reconcile_chain(node=simulated.ethereum, at=simulated.now()).difference.minor == 0
