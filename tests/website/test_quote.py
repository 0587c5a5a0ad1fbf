"""What the form asks while a person types."""

import pytest

from orders.offer import get_limits
from tests.orders.conftest import NOW
from tests.website.conftest import ETH_ADDRESS, LTC_ADDRESS

pytestmark = pytest.mark.usefixtures("site")


def ask(browser, **asked):
    return browser.get("/en/quote/", {"pair": "ETHLTC", "side": "send", "amount": "2"} | asked)


def check(browser, address, field="payout_address"):
    return browser.post("/en/address-check/", {"pair": "ETHLTC", "field": field, "address": address})


def test_prices_the_amount_to_send(alice):
    answer = ask(alice).json()

    assert answer["send"] == "2"
    assert answer["expires_in_ms"] == 60_000
    assert "Network fee" in answer["breakdown"]


def test_prices_the_amount_to_get(alice):
    assert ask(alice, side="get", amount="0.05").json()["get"] == "0.05"


@pytest.mark.parametrize(("bound", "limit"), [("min", "min_send"), ("max", "max_send")])
def test_knows_the_bounds_as_they_are_now(alice, bound, limit):
    answer = ask(alice, amount=bound).json()

    assert answer["send"] == getattr(get_limits(pair="ETHLTC", at=NOW), limit).format()
    assert answer["send"] == answer[bound]


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("0", "amount_below_minimum"),
        ("-1", "amount_invalid"),
        ("NaN", "amount_invalid"),
        ("1e400", "amount_invalid"),
        ("１２", "amount_invalid"),
        ("1.000000001", "amount_too_precise"),
        ("999999", "amount_above_maximum"),
        ("", "amount_required"),
    ],
)
def test_refuses_an_amount_with_its_code_and_field(alice, amount, code):
    answer = ask(alice, amount=amount)

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, code, "send")
    assert answer.json()["message"]


def test_says_that_an_address_is_good(alice):
    assert check(alice, f" {ETH_ADDRESS} ").json() == {"message": "A valid address on the Ethereum network."}
    assert check(alice, LTC_ADDRESS, "refund_address").status_code == 200


@pytest.mark.parametrize(
    ("address", "code"),
    [(ETH_ADDRESS[:-1], "address_invalid"), (ETH_ADDRESS.replace("Aeb", "aeb"), "address_checksum")],
)
def test_says_what_is_wrong_with_an_address(alice, address, code):
    answer = check(alice, address)

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, code, "payout_address")


def test_names_the_network_that_an_address_is_of(alice):
    answer = check(alice, "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", "refund_address")

    assert answer.json()["code"] == "address_other_network"


def test_answers_in_the_language_of_the_page(alice):
    answer = alice.get("/ru/quote/", {"pair": "ETHLTC", "side": "send", "amount": "abc"})

    assert "это не сумма" in answer.json()["message"]


def test_warm_price_costs_no_statement(alice, django_assert_num_queries):
    ask(alice)

    with django_assert_num_queries(0):
        ask(alice)
