"""Payouts that nodes drop, fees that rise and fall: everything is paid once or held by name, and nothing stands still."""

import pytest

from orders import states
from orders.models import Order
from tests.simulated import SimulatedExchange
from wallets import states as wallet_states
from wallets.addresses import house_address
from wallets.bump import bump_stuck_payouts
from wallets.chains.signing import read_signed_evm
from wallets.models import Attempt, CoinHold, Payout
from wallets.safety.reconcile import reconcile_chain
from wallets.send import RESEND_AFTER, send_due_attempts

GWEI = 10**9
PAIR_OF = {"litecoin": ("LTCETH", "0.05"), "ethereum": ("ETHLTC", "1")}


def want_payout(site: SimulatedExchange, chain: str) -> Order:
    """Open and pay an order whose payout on `chain` is signed, sent and waits for a block."""
    pair, send = PAIR_OF[chain]
    order = site.open(pair, send).order
    site.pay(order)
    site.node_of(order.send_asset.network).mine(14)
    site.tick()
    site.tick()
    return order


def payout_of(order: Order) -> Payout:
    return Payout.objects.filter(owner_ref=order.reference).latest("pk")


def wait(site: SimulatedExchange, minutes: int = 31) -> None:
    """Let time pass with blocks on both chains, as they come; outbid what is due, then everything else."""
    site.later(minutes=minutes)
    site.price()
    for chain in ("litecoin", "ethereum"):
        site.scan(chain)
        bump_stuck_payouts(node=site.client_of(chain), at=site.now())
        send_due_attempts(node=site.client_of(chain), at=site.now())
    site.tick()


def settle(site: SimulatedExchange, rounds: int = 8) -> None:
    for _ in range(rounds):
        site.later(minutes=1)
        site.mine(5)
        site.tick()


def describe(order: Order) -> list[object]:
    payouts = Payout.objects.filter(owner_ref=order.reference)
    attempts = Attempt.objects.filter(payout__in=payouts).values_list(
        "payout", "n", "fee_minor", "answer", "block_height"
    )
    return [*payouts.values_list("purpose", "state", "problem", "news"), *attempts]


def check_paid_once(site: SimulatedExchange, *orders: Order) -> None:
    for order in orders:
        assert site.reload(order).state == states.COMPLETED, describe(order)
        assert site.paid(order) == order.get_minor
    for chain in ("litecoin", "ethereum"):
        site.scan(chain)
        assert reconcile_chain(node=site.client_of(chain), at=site.now()).difference.minor == 0


def spent_by(payout: Payout) -> set[str]:
    return set(CoinHold.objects.filter(payout=payout).values_list("txid", flat=True))


def parent_and_child(site: SimulatedExchange) -> tuple[Order, Order]:
    """Two payouts, the second of which spends the first one's unmined change: the only coin there is."""
    parent, child = want_payout(site, "litecoin"), want_payout(site, "litecoin")
    assert spent_by(payout_of(child)) == {payout_of(parent).attempts.get().txid}
    return parent, child


def test_change_that_the_node_dropped_is_not_spent(simulated: SimulatedExchange) -> None:
    """FAULTS 17: "was sent once" was taken for "exists"; confirmed coins are there and must be taken."""
    first = want_payout(simulated, "litecoin")
    simulated.litecoin.forget_mempool()
    simulated.litecoin.charge(1000)  # nothing of ours comes back for now

    second = want_payout(simulated, "litecoin")

    assert payout_of(second).state == wallet_states.REQUESTED
    assert payout_of(second).problem.startswith(("coins_short", "fee_over_cap"))
    assert spent_by(payout_of(second)) == set()
    simulated.litecoin.charge(1)
    wait(simulated)
    settle(simulated)
    check_paid_once(simulated, first, second)


def test_a_dropped_parent_and_its_child_are_both_paid_and_others_meanwhile(simulated: SimulatedExchange) -> None:
    parent, child = parent_and_child(simulated)
    simulated.litecoin.charge(40)  # four times what they offer: both are evicted
    assert simulated.litecoin.list_mempool() == []
    deposit = simulated.litecoin.send(_house(simulated), 30 * 10**8, rate=100)  # a larger coin arrives, at today's fees
    simulated.litecoin.mine(8)
    simulated.scan("litecoin")
    other = want_payout(simulated, "litecoin")

    assert spent_by(payout_of(other)) == {deposit}
    simulated.litecoin.mine(3)
    settle(simulated, 2)
    assert simulated.reload(other).state == states.COMPLETED
    assert payout_of(parent).problem.startswith("fee_refused")

    wait(simulated)
    assert payout_of(parent).attempts.count() == 2
    assert payout_of(child).problem.startswith(("waits_for_parent", "inputs_missing"))
    settle(simulated)
    check_paid_once(simulated, parent, child, other)
    assert payout_of(child).attempts.count() == 2


def _house(site: SimulatedExchange) -> str:
    return house_address(chain="litecoin", at=site.now()).address


def test_a_killed_node_forgets_both_and_their_bytes_are_sent_again_parent_first(simulated: SimulatedExchange) -> None:
    parent, child = parent_and_child(simulated)
    simulated.litecoin.forget_mempool()

    send_due_attempts(node=simulated.client_of("litecoin"), at=simulated.now() + RESEND_AFTER)

    assert len(simulated.litecoin.list_mempool()) == 2
    settle(simulated)
    check_paid_once(simulated, parent, child)
    assert Attempt.objects.filter(payout__in=[payout_of(parent), payout_of(child)]).count() == 2


def test_a_child_in_the_mempool_pays_for_its_parent_too(simulated: SimulatedExchange) -> None:
    parent, child = parent_and_child(simulated)
    held = dict(simulated.litecoin.pool)
    simulated.litecoin.charge(30)
    simulated.litecoin.pool.update(held)  # a mempool that is not full keeps what it has
    simulated.litecoin.mine(1)
    assert len(simulated.litecoin.list_mempool()) == 2

    wait(simulated)

    assert payout_of(parent).attempts.count() == 1
    assert payout_of(child).attempts.count() == 2
    settle(simulated)
    check_paid_once(simulated, parent, child)


def test_one_at_its_cap_does_not_stop_the_lane(simulated: SimulatedExchange) -> None:
    """FAULTS 18: its nonce is used up by a transfer to ourselves, the others pass, and its debt is asked for again."""
    stuck, behind = want_payout(simulated, "ethereum"), want_payout(simulated, "ethereum")
    before = payout_of(stuck)
    simulated.ethereum.charge(90 * GWEI)
    seen = set()
    for _ in range(14):
        wait(simulated)
        seen |= set(before.attempts.values_list("pays", flat=True))
    before.refresh_from_db()

    assert seen == {True, False}
    assert before.state == wallet_states.REVERTED
    assert all(a.fee_minor <= before.fee_cap_minor for a in before.attempts.filter(pays=True))
    again = payout_of(stuck)
    assert again.purpose == f"{before.purpose}/2"
    assert again.problem.startswith("fee_over_cap")  # held by name, and it holds no nonce
    assert not again.nonce_holds.exists()
    assert simulated.reload(stuck).state == states.SENT

    simulated.ethereum.charge(1 * GWEI)
    wait(simulated)
    settle(simulated)
    check_paid_once(simulated, stuck, behind)


def test_only_the_head_of_the_lane_is_outbid_and_its_tip_rises_by_an_eighth(simulated: SimulatedExchange) -> None:
    """FAULTS 19: an outbid once paid the whole cap as a tip."""
    head, behind = want_payout(simulated, "ethereum"), want_payout(simulated, "ethereum")
    simulated.ethereum.charge(6 * GWEI)

    wait(simulated)

    first, second = payout_of(head).attempts.order_by("n")
    old, new = read_signed_evm(first.raw), read_signed_evm(second.raw)
    assert payout_of(behind).attempts.count() == 1
    assert new.priority == -(-old.priority * 9 // 8)
    assert new.max_fee == 2 * 6 * GWEI + new.priority
    assert new.max_fee < payout_of(head).fee_cap_minor // 21_000
    simulated.ethereum.charge(1 * GWEI)
    settle(simulated)
    check_paid_once(simulated, head, behind)


@pytest.mark.parametrize("chain", ["litecoin", "ethereum"])
def test_what_was_signed_and_never_taken_is_outbid_too(simulated: SimulatedExchange, chain: str) -> None:
    """FAULTS 36: a node that refuses for the fee leaves the payout SIGNED; after two minutes it offers more."""
    node = simulated.node_of(chain)
    order = want_payout(simulated, chain)
    payout = payout_of(order)
    Payout.objects.filter(pk=payout.pk).update(state=wallet_states.SIGNED, problem="fee_refused: -26 min fee not met")
    Attempt.objects.filter(payout=payout).update(sent_at=None)
    node.forget_mempool()
    node.charge(3 * (10 if chain == "litecoin" else GWEI))

    wait(simulated, minutes=3)

    assert payout_of(order).attempts.count() == 2
    assert payout_of(order).state == wallet_states.BROADCAST
    assert payout_of(order).problem == ""
    settle(simulated)
    check_paid_once(simulated, order)
