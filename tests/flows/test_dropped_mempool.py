"""A litecoind that loses its mempool and then asks four times the fee: parent and child are both paid, others meanwhile."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from orders import states
from orders.models import Order
from tests.exchange import Exchange
from tests.nodes import LitecoinNode
from wallets import states as wallet_states
from wallets.bump import bump_stuck_payouts
from wallets.models import CoinHold, Payout
from wallets.send import send_due_attempts

pytestmark = pytest.mark.node

DEAR = "-minrelaytxfee=0.0004"  # 40 litoshi a virtual byte; what we offer at first is 10


@pytest.fixture
def dear_node(on_nodes: Exchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    """Afterwards the node is as the other tests know it."""
    yield on_nodes
    monkeypatch.undo()
    on_nodes.litecoin.restart()


def forget_mempool(node: LitecoinNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restart the node without the mempool that it wrote down, and let it refuse what is cheap from then on."""
    ordinary = LitecoinNode.command
    node.stop()
    (node.folder / "regtest" / "mempool.dat").unlink(missing_ok=True)
    monkeypatch.setattr(LitecoinNode, "command", lambda self: [*ordinary(self), DEAR])
    node.start()


def want_payout(exchange: Exchange) -> Order:
    order = exchange.open("LTCETH", "0.05").order
    exchange.pay(order)
    exchange.ethereum.mine(4)
    exchange.tick()
    exchange.tick()
    return order


def spends(order: Order) -> set[str]:
    holds = CoinHold.objects.filter(payout__owner_ref=order.reference)
    return set(holds.values_list("txid", flat=True))


def payout_of(order: Order) -> Payout:
    return Payout.objects.filter(owner_ref=order.reference).latest("pk")


def test_a_dropped_parent_and_its_child_are_both_paid(dear_node: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = dear_node
    parent, child = want_payout(exchange), want_payout(exchange)
    assert spends(child) == {payout_of(parent).attempts.get().txid}
    forget_mempool(exchange.litecoin, monkeypatch)
    exchange.fund("litecoin", 5 * 10**8)
    other = want_payout(exchange)
    assert not spends(other) & {attempt.txid for attempt in payout_of(parent).attempts.all()}
    exchange.litecoin.mine(3)
    exchange.tick()
    assert exchange.reload(other).state == states.COMPLETED
    send_due_attempts(node=exchange.client_of("litecoin"), at=exchange.now() + timedelta(minutes=1))
    assert payout_of(parent).problem.startswith("fee_refused"), payout_of(parent).problem

    later = exchange.now() + timedelta(minutes=31)
    bump_stuck_payouts(node=exchange.client_of("litecoin"), at=later)
    send_due_attempts(node=exchange.client_of("litecoin"), at=later)

    assert payout_of(parent).attempts.count() == 2
    assert payout_of(parent).attempts.latest("n").answer == "taken"
    exchange.settle()
    for order in (parent, child, other):
        assert payout_of(order).state == wallet_states.CONFIRMED, payout_of(order).problem
        assert exchange.paid(order) == order.get_minor
    assert payout_of(child).attempts.count() == 2
