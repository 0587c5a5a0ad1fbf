"""Nodes that do not answer, are not ready, or are not ours: nothing is decided, nothing is lost, nothing is paid twice."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orders import states
from orders.credit import follow_deposits
from orders.expire import expire_due_orders
from orders.models import Order
from orders.payout import follow_payouts, request_payouts
from tests.flows.conftest import ASSETS, Exchange
from tests.flows.proxy import NodeProxy
from tests.nodes import free_port
from wallets import states as wallet_states
from wallets.models import Attempt, ChainState, Deposit, Payout
from wallets.scan import scan_chain
from wallets.send import send_due_attempts
from wallets.sign import sign_payouts

pytestmark = pytest.mark.node

PAYING = [("ETHLTC", "1", "ethereum"), ("LTCETH", "0.05", "litecoin")]


@pytest.fixture
def proxies(exchange: Exchange) -> Iterator[dict[str, NodeProxy]]:
    made = {chain: NodeProxy(exchange.node_of(chain).url) for chain in ASSETS}
    exchange.urls = {chain: proxy.url for chain, proxy in made.items()}
    yield made
    for proxy in made.values():
        proxy.close()


def bring_to_payout(exchange: Exchange, order: Order) -> Attempt:
    exchange.pay(order)
    for _ in range(5):
        exchange.tick()
        exchange.node_of(order.send_asset.network).mine(1)
    return Attempt.objects.select_related("payout").get(payout__owner_ref=order.reference)


@pytest.mark.parametrize("mined_meanwhile", [False, True])
@pytest.mark.parametrize(("pair", "send", "chain"), PAYING)
def test_a_lost_answer_to_a_broadcast_pays_once(
    exchange: Exchange, proxies: dict[str, NodeProxy], pair: str, send: str, chain: str, mined_meanwhile: bool
) -> None:
    order = exchange.open(pair, send).order
    proxies[chain].losing = True
    attempt = bring_to_payout(exchange, order)

    assert (attempt.payout.state, attempt.sent_at) == (wallet_states.SIGNED, None)
    assert attempt.answer.startswith("unknown")
    assert exchange.client_of(chain).find_tx(attempt.txid).state == "mempool"
    taken = proxies[chain].broadcasts

    proxies[chain].losing = False
    if mined_meanwhile:
        exchange.node_of(chain).mine(1)
    else:
        exchange.offset = timedelta(seconds=31)
    exchange.tick()
    attempt.refresh_from_db()
    assert Payout.objects.get().state == wallet_states.BROADCAST
    assert proxies[chain].broadcasts == taken + (not mined_meanwhile)
    exchange.settle()

    assert exchange.reload(order).state == states.COMPLETED
    assert Attempt.objects.count() == 1
    assert exchange.payments_to(chain, order.payout_address) == [order.get_minor]


class Untrue:
    """A client whose node says something else than the truth about itself."""

    def __init__(self, node: Any, trouble: str) -> None:
        self._node, self._trouble = node, trouble

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)

    def tip(self) -> Any:
        tip = self._node.tip()
        changes = {
            "syncing": {"syncing": True},
            "tip too old": {"at": tip.at - timedelta(days=1)},
            "another genesis": {},
        }
        return replace(tip, **changes[self._trouble])

    def identity(self) -> str:
        return "f" * 64 if self._trouble == "another genesis" else str(self._node.identity())


def troubled(exchange: Exchange, trouble: str) -> Any:
    if trouble == "down":
        exchange.urls["litecoin"] = f"http://test:test@127.0.0.1:{free_port()}/"
        client: Any = exchange.client_of("litecoin")
        del exchange.urls["litecoin"]
        return client
    return Untrue(exchange.client_of("litecoin"), trouble)


@pytest.mark.parametrize(
    ("trouble", "problem"),
    [("down", "node:"), ("syncing", "syncing"), ("tip too old", "tip_too_old"), ("another genesis", "wrong_chain")],
)
def test_a_node_not_to_be_trusted_stops_everything_and_loses_nothing(
    exchange: Exchange, trouble: str, problem: str
) -> None:
    exchange.offset = -timedelta(minutes=25)
    unpaid = exchange.open().order
    exchange.offset = timedelta(0)
    paying = exchange.open("LTCETH", "0.05").order
    exchange.pay(paying)
    exchange.ethereum.mine(4)
    exchange.scan("ethereum")
    follow_deposits(chain="ethereum", at=exchange.now())
    request_payouts(asset="LTC", at=exchange.now())
    assert Payout.objects.get().state == wallet_states.REQUESTED
    paid = exchange.open().order
    exchange.pay(paid)
    exchange.litecoin.mine(3)

    node = troubled(exchange, trouble)
    for _ in range(3):
        report = scan_chain(node=node, at=exchange.now(), known_mempool=set())
        assert report.problem.startswith(problem)
        follow_deposits(chain="litecoin", at=exchange.now())
        request_payouts(asset="ETH", at=exchange.now())
        sign_payouts(node=node, at=exchange.now())
        send_due_attempts(node=node, at=exchange.now())
        follow_payouts(chain="litecoin", at=exchange.now())
        expire_due_orders(at=exchange.now())

    assert ChainState.objects.get(code="litecoin").problem.startswith(problem)
    assert exchange.reload(unpaid).state == states.AWAITING_DEPOSIT  # past its deadline, but nobody could look
    assert exchange.reload(paid).state == states.AWAITING_DEPOSIT
    assert not Deposit.objects.filter(owner_ref=paid.reference).exists()
    assert Payout.objects.get().state == wallet_states.REQUESTED
    assert not Attempt.objects.exists()

    exchange.tick()
    exchange.settle()
    assert ChainState.objects.get(code="litecoin").problem == ""
    assert exchange.reload(unpaid).state == states.EXPIRED
    for order in (paid, paying):
        assert exchange.reload(order).state == states.COMPLETED
        assert exchange.paid(order) == order.get_minor


def test_a_refused_broadcast_frees_nothing_and_goes_again(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    from wallets.chains.core_rpc import CoreChain
    from wallets.chains.protocol import Refused

    order = exchange.open("LTCETH", "0.05").order
    with monkeypatch.context() as patch:
        patch.setattr(CoreChain, "broadcast", lambda *_: Refused("-26", "mempool min fee not met"))
        attempt = bring_to_payout(exchange, order)
        assert (attempt.payout.state, attempt.sent_at) == (wallet_states.SIGNED, None)
        assert "min fee" in attempt.payout.problem
        assert attempt.payout.coin_holds.count() == 1

    exchange.offset = timedelta(seconds=31)
    exchange.tick()
    exchange.settle()
    assert exchange.reload(order).state == states.COMPLETED
    assert Attempt.objects.get().txid == attempt.txid
    assert exchange.payments_to("litecoin", order.payout_address) == [order.get_minor]
