"""The demo's customer: rightly or wrongly, and only on chains made for play."""

import pytest
from django.test import Client

from core.assets import get_asset
from core.money import Money
from demo import nodes, wallet
from tests.website.conftest import account_keys, alice, open_page, site

__all__ = ["account_keys", "alice", "open_page", "site"]


class Paper:
    """A play chain that only writes down what it was asked to pay."""

    def __init__(self):
        self.sent = []

    def send(self, address, amount):
        self.sent.append((address, amount.minor))
        return "ab" * 32


@pytest.fixture
def paper(monkeypatch):
    chain = Paper()
    monkeypatch.setattr(wallet, "open_play", lambda _network: chain)
    return chain


@pytest.mark.parametrize(("how", "parts"), [("exact", [10]), ("little", [7]), ("much", [13]), ("twice", [10, 10])])
def test_pays_as_the_button_says(alice, open_page, paper, how, parts):
    order = open_page(alice)

    answer = Client().post(f"/en/demo/pay/{order.reference}/", {"how": how})

    assert answer["Location"] == f"/en/order/{order.reference}/"
    assert paper.sent == [(order.deposit_address, order.send_minor * part // 10) for part in parts]


@pytest.mark.parametrize("how", ["", "everything"])
def test_refuses_a_way_to_pay_that_does_not_exist(alice, open_page, paper, how):
    order = open_page(alice)

    assert Client().post(f"/en/demo/pay/{order.reference}/", {"how": how}).status_code == 404
    assert paper.sent == []


def test_says_that_the_local_chain_is_away(alice, open_page, settings):
    settings.CHAIN_RPC_URLS = {"litecoin": "http://127.0.0.1:9", "ethereum": "http://127.0.0.1:9"}
    order = open_page(alice)

    answer = Client().post(f"/en/demo/pay/{order.reference}/", {"how": "exact"})

    assert answer.status_code == 502
    assert "The demo wallet could not pay" in answer.content.decode()


def test_amounts_stay_on_the_quote_step(site):
    eth = get_asset("ETH")

    for amounts in (how(Money(eth.quote_step * 3, eth)) for how in wallet.HOW.values()):
        assert all(amount.minor % eth.quote_step == 0 for amount in amounts)


class Answers:
    def __init__(self, answer):
        self.answer = answer

    def call(self, method, *params):
        return self.answer


@pytest.mark.parametrize(("play", "mainnet"), [(nodes.LitecoinPlay, {"chain": "main"}), (nodes.EthereumPlay, "0x1")])
def test_touches_no_chain_that_is_worth_something(play, mainnet, settings):
    settings.CHAIN_RPC_URLS = {"litecoin": "http://127.0.0.1:9", "ethereum": "http://127.0.0.1:9"}
    chain = play()
    chain._node = Answers(mainnet)

    with pytest.raises(nodes.NotPlayMoney):
        chain.check()
