"""What is believed of sizes and fees, in the words of the standards and in whole coins: figures that money hangs on."""

from decimal import Decimal

import pytest

from core.assets import get_asset
from core.money import Money
from wallets.chains.coin_choice import (
    JOIN_FEE_PERCENT,
    MOST_INPUTS,
    RELAY_DUST,
    count_needed,
    fits,
    join_fee,
    least_change,
    least_joined,
    most_payable,
)
from wallets.chains.fees import FEE_BOUNDS, clamp
from wallets.chains.sizes import PLAIN_GAS, size_vb
from wallets.chains.uri import has_chain_id, payment_uri

# BIP-141: what stands outside of the witness weighs four units a byte, the witness one; four units are a virtual byte.
COUNTS = 4 * (4 + 1 + 1 + 4) + 2  # version, number of inputs and outputs, lock time; marker and flag
INPUT = 4 * (32 + 4 + 1 + 4) + (1 + 1 + 73 + 1 + 33)  # outpoint, empty script, sequence; a signature of 73 bytes, a key
OUTPUT = 4 * (8 + 1 + 34)  # amount and the longest script that an address may ask for, pay-to-witness-script-hash


@pytest.mark.parametrize("inputs", [0, 1, 2, 20])
@pytest.mark.parametrize("outputs", [0, 1, 2])
def test_a_payment_is_as_large_as_its_parts_each_rounded_up(inputs: int, outputs: int) -> None:
    def up(weight: int) -> int:
        return -(-weight // 4)

    assert size_vb(inputs, outputs) == up(COUNTS) + inputs * up(INPUT) + outputs * up(OUTPUT)


def test_a_plain_transfer_of_ether_takes_21_000_gas() -> None:
    assert PLAIN_GAS == 21_000


# network, the most that is believed of a kilobyte or a plain payment in coins; the least per unit; the most of the tip
BOUNDS = [
    ("litecoin", Decimal("0.01"), 8, 1000, 1, 0),
    ("bitcoin", Decimal("0.03"), 8, 1000, 1, 0),
    ("dogecoin", Decimal(5), 8, 1000, 100, 0),
    ("ethereum", Decimal("0.042"), 18, 21_000, 1, 100 * 10**9),
]


@pytest.mark.parametrize(("network", "coins", "scale", "units", "least", "most_tip"), BOUNDS)
def test_no_advice_takes_more_than_a_networks_worst_weeks(
    network: str, coins: Decimal, scale: int, units: int, least: int, most_tip: int
) -> None:
    bounds = FEE_BOUNDS[network]
    assert bounds.most * units == int(coins * 10**scale)
    assert (bounds.least, bounds.most_tip) == (least, most_tip)
    assert clamp("fee", bounds.most + 1, least, bounds.most, []) * units == int(coins * 10**scale)


@pytest.mark.parametrize(
    ("advised", "taken", "said"),
    [(9, 10, 0), (10, 10, 0), (11, 11, 0), (99, 99, 0), (100, 100, 0), (101, 100, 1), (10**9, 100, 1)],
)
def test_advice_is_taken_within_its_bounds_and_what_is_cut_is_said(advised: int, taken: int, said: int) -> None:
    notes: list[str] = []
    assert clamp("fee", advised, 10, 100, notes) == taken
    assert len(notes) == said


@pytest.mark.parametrize(
    ("fee", "inputs", "least"),
    [
        (10_919, 1, 5_460),
        (10_920, 1, 5_460),
        (10_922, 1, 5_461),  # to spend it later costs half of what two inputs cost now
        (16_383, 2, 5_461),
    ],
)
def test_change_is_worth_an_output_from_what_spending_it_costs(fee: int, inputs: int, least: int) -> None:
    assert least_change(fee, inputs) == least


def test_an_output_that_no_node_relays_is_none() -> None:
    assert RELAY_DUST == 5460  # Core's old dust rule for the family: 182 bytes at 30 a byte


@pytest.mark.parametrize(("inputs", "stays"), [(19, True), (20, True), (21, False)])
def test_a_payment_has_at_most_twenty_inputs_whatever_the_cap(inputs: int, stays: bool) -> None:
    assert MOST_INPUTS == 20
    assert fits(inputs, rate_minor=1, fee_cap_minor=10**9) is stays


# Two coins of 100,000 and one of 50,000 at 10 a virtual byte; a payment of n coins costs 970 + 690 n.
COINS = [100_000, 100_000, 50_000]
ENOUGH = 10**6


@pytest.mark.parametrize(
    ("amount", "count"),
    [(98_340, 1), (98_341, 2), (197_650, 2), (197_651, 3), (246_960, 3), (246_961, 0)],
)
def test_as_few_of_the_largest_as_pay_amount_and_fee(amount: int, count: int) -> None:
    assert count_needed(COINS, amount_minor=amount, rate_minor=10, fee_cap_minor=ENOUGH) == count


@pytest.mark.parametrize(("cap", "count", "most"), [(10**6, 3, 246_960), (8_499, 3, 246_960), (8_498, 0, 197_650)])
def test_what_the_cap_does_not_take_is_neither_offered_nor_chosen(cap: int, count: int, most: int) -> None:
    """Three coins cost 3,040; change below the least that is worth an output, 5,460, may be left to the fee as well."""
    assert count_needed(COINS, amount_minor=240_000, rate_minor=10, fee_cap_minor=cap) == count
    assert most_payable(COINS, rate_minor=10, fee_cap_minor=cap) == most


def test_a_coin_that_costs_more_than_it_brings_adds_nothing() -> None:
    assert most_payable([100_000, 690], rate_minor=10, fee_cap_minor=ENOUGH) == 98_340
    assert most_payable([100_000, 691], rate_minor=10, fee_cap_minor=ENOUGH) == 98_341
    assert most_payable([1_660], rate_minor=10, fee_cap_minor=ENOUGH) == 0
    assert most_payable([], rate_minor=10, fee_cap_minor=ENOUGH) == 0
    assert count_needed([], amount_minor=1, rate_minor=10, fee_cap_minor=ENOUGH) == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("network", "asset", "minor", "chain_id", "uri"),
    [
        ("litecoin", "LTC", 150_000_000, 0, "litecoin:X?amount=1.5"),
        ("litecoin", "LTC", 1, 7, "litecoin:X?amount=0.00000001"),
        ("ethereum", "ETH", 10**18, 1, "ethereum:X@1?value=1000000000000000000"),
        ("ethereum", "ETH", 1, 0, "ethereum:X?value=1"),
    ],
)
def test_a_request_asks_for_the_amount_in_the_unit_of_its_standard(network, asset, minor, chain_id, uri) -> None:
    """BIP-21 in whole coins, EIP-681 in wei."""
    assert payment_uri(network, "X", Money(minor, get_asset(asset)), chain_id=chain_id) == uri
    assert has_chain_id(network) is (network == "ethereum")


@pytest.mark.parametrize("rate", [1, 10, 333, 2000])
def test_two_of_the_least_coins_are_joined_within_their_share_and_two_smaller_ones_are_not(rate: int) -> None:
    least, fee = least_joined(rate), join_fee(2, rate)

    assert fee * 100 <= 2 * least * JOIN_FEE_PERCENT
    assert fee * 100 > 2 * (least - 1) * JOIN_FEE_PERCENT
