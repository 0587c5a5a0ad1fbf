"""Rows 1 to 5: currencies and pairs."""

import pytest

from ticker.catalogue import forget_catalogue
from ticker.models import Pair

CURRENCY_KEYS = {
    "code",
    "name",
    "min_confirmations",
    "is_crypto",
    "minimal_amount",
    "maximal_amount",
    "is_base_of_enabled_pair",
    "is_quote_of_enabled_pair",
    "has_enabled_pairs",
    "is_base_of_enabled_pair_for_test",
    "is_quote_of_enabled_pair_for_test",
    "has_enabled_pairs_for_test",
    "withdrawal_fee",
    "extra_id",
}


def test_lists_every_currency_as_a_plain_array(house, anyone):
    answer = anyone.get("currency/")

    assert answer.status_code == 200
    assert {row["code"] for row in answer.body} == {"BTC", "LTC", "DOGE", "ETH", "USDT", "EUR", "USD", "GBP", "RUB"}
    assert all(set(row) == CURRENCY_KEYS for row in answer.body)


def test_a_currency_has_strings_of_eight_places(house, anyone):
    ltc = anyone.get("currency/LTC/").body

    assert ltc["minimal_amount"] == "0.05000000"
    assert ltc["maximal_amount"] == "50.00000000"
    assert ltc["withdrawal_fee"] == "0.00001660"
    assert ltc["min_confirmations"] == 2
    assert ltc["is_crypto"] is True
    assert ltc["has_enabled_pairs"] is True
    assert ltc["extra_id"] is None


def test_money_in_a_bank_has_no_confirmations(house, anyone):
    euro = anyone.get("currency/EUR/").body

    assert euro["is_crypto"] is False
    assert euro["min_confirmations"] is None
    assert euro["has_enabled_pairs"] is False


def test_an_unknown_currency_is_a_404(house, anyone):
    assert anyone.get("currency/XYZ/").status_code == 404


def test_test_pairs_count_only_for_testers(house, anyone):
    Pair.objects.filter(enabled=True).update(test_mode=True)
    forget_catalogue()

    ltc = anyone.get("currency/LTC/").body

    assert ltc["has_enabled_pairs"] is False
    assert ltc["has_enabled_pairs_for_test"] is True


def test_lists_pairs_with_what_the_selector_needs(house, anyone):
    pairs = {pair["name"]: pair for pair in anyone.get("pair/").body}

    assert pairs["ETHLTC"] == {
        "name": "ETHLTC",
        "base": "ETH",
        "quote": "LTC",
        "fee_ask": "0.00500000",
        "fee_bid": "0.00500000",
        "disabled": False,
        "test_mode": False,
    }
    assert pairs["BTCLTC"]["disabled"] is True
    assert anyone.get("pair/?name=all").body == list(pairs.values())


@pytest.mark.parametrize(("name", "names"), [("LTCETH", ["LTCETH"]), ("ltceth", ["LTCETH"]), ("NOPE", [])])
def test_lists_the_pair_of_a_name(house, anyone, name, names):
    assert [pair["name"] for pair in anyone.get(f"pair/?name={name}").body] == names


def test_a_random_pair_is_one_that_can_be_exchanged(house, anyone):
    for _ in range(20):
        (pair,) = anyone.get("pair/?name=random").body
        assert pair["name"] in ("ETHLTC", "LTCETH")


def test_shows_one_pair_and_a_404_for_an_unknown_one(house, anyone):
    assert anyone.get("pair/ETHLTC/").body["base"] == "ETH"
    unknown = anyone.get("pair/NOPE/")
    assert (unknown.status_code, unknown.body["code"]) == (404, "pair_unknown")


def test_the_most_traded_pair_is_the_one_with_most_orders(house, anyone, open_order):
    open_order(pair={"name": "LTCETH"}, amount_quote="0.1", withdraw_address={})

    assert anyone.get("pair/most_traded/").body["name"] == "LTCETH"


def test_reads_cost_no_statement_while_warm(house, anyone, django_assert_num_queries):
    paths = ("currency/", "currency/ETH/", "pair/", "pair/ETHLTC/", "pair/?name=random", "pair/most_traded/")
    for path in paths:
        anyone.get(path)

    with django_assert_num_queries(0):
        for path in paths:
            assert anyone.get(path, authorization="Bearer " + "a" * 64).status_code == 200
