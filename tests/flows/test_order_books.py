"""`manage.py order_books`: the facts of an order in one place, for people and for programs."""

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from orders import states
from orders.books import read_books
from tests.flows.conftest import Exchange


def test_shows_what_was_promised_paid_and_booked(exchange: Exchange, capsys: Any) -> None:
    order = exchange.open("ETHLTC", "1.5").order
    exchange.pay(order)
    exchange.settle()

    call_command("order_books", order.reference, json=True)
    books = json.loads(capsys.readouterr().out)
    call_command("order_books", order.reference.lower())
    read = capsys.readouterr().out

    (deposit,), (payout,) = books["deposits"], books["payouts"]
    assert deposit["minor"] == deposit["booked_minor"] == books["promised_send_minor"] == order.send_minor
    assert payout["minor"] == payout["booked_minor"] == books["promised_get_minor"] == exchange.paid(order)
    assert books["open_minor"] == {"LTC": 0, "ETH": 0}
    assert [step["state"] for step in books["steps"]][-1] == states.COMPLETED
    assert f"booked {payout['booked_minor']}, CONFIRMED {payout['txid']}" in read


def test_a_payout_that_was_taken_back_and_mined_again_is_booked_once(exchange: Exchange) -> None:
    order = exchange.open("ETHLTC", "1.5").order
    exchange.pay(order)
    while exchange.reload(order).state != states.COMPLETED:
        exchange.mine(1)
        exchange.tick()
    exchange.ethereum.reorganise(6)
    exchange.tick()
    assert exchange.payouts(order)[0].reorg_count == 1, "the payout's block was not deep enough to be replaced"
    exchange.settle()

    books = read_books(exchange.reload(order))

    assert books.settlement is not None
    assert len([line for line in books.lines if "close:" in line.entry]) == 3
    assert books.settlement.booked_minor == exchange.paid(order)


def test_an_order_still_open_has_nothing_booked_and_an_unknown_one_is_refused(exchange: Exchange) -> None:
    order = exchange.open("ETHLTC", "1.5").order

    assert read_books(order).lines == ()
    assert read_books(order).settlement is None
    with pytest.raises(CommandError, match="there is no order"):
        call_command("order_books", "O1234567890ABCDEF")
