"""wallets.chains.coin_choice: what is offered can be paid in one transaction within its cap, and not one unit more."""

from hypothesis import given
from hypothesis import strategies as st

from wallets.chains.coin_choice import MOST_INPUTS, RELAY_DUST, count_needed, fits, least_change, most_payable
from wallets.chains.sizes import size_vb

COIN = 10**8
coins = st.lists(st.integers(min_value=1, max_value=50 * COIN), max_size=30).map(lambda c: sorted(c, reverse=True))
rates = st.integers(min_value=1, max_value=2000)
caps = st.integers(min_value=0, max_value=10**7)


@given(coins, rates, caps)
def test_what_is_offered_is_payable_and_one_unit_more_is_not(largest: list[int], rate: int, cap: int) -> None:
    most = most_payable(largest, rate_minor=rate, fee_cap_minor=cap)

    if most:
        assert count_needed(largest, amount_minor=most, rate_minor=rate, fee_cap_minor=cap)
    assert not count_needed(largest, amount_minor=most + 1, rate_minor=rate, fee_cap_minor=cap)


@given(coins, rates, caps, st.integers(min_value=1, max_value=200 * COIN))
def test_a_choice_never_breaks_the_cap_when_small_change_is_left_to_the_fee(
    largest: list[int], rate: int, cap: int, amount: int
) -> None:
    count = count_needed(largest, amount_minor=amount, rate_minor=rate, fee_cap_minor=cap)

    if count:
        fee = size_vb(count, 2) * rate
        change = sum(largest[:count]) - amount - fee
        assert change >= 0
        assert fee + (change if change < least_change(fee, count) else 0) <= cap


def test_sixty_coins_of_one_are_not_sold_as_sixty() -> None:
    """What the books hold is no measure: at 10 litoshi a virtual byte, a cap of 14,400 takes only some of the coins."""
    most = most_payable([COIN] * 60, rate_minor=10, fee_cap_minor=14_400)

    assert fits(11, rate_minor=10, fee_cap_minor=14_400)
    fee = size_vb(11, 2) * 10
    assert not fits(12, rate_minor=10, fee_cap_minor=size_vb(12, 2) * 10 + RELAY_DUST - 2)
    assert fits(12, rate_minor=10, fee_cap_minor=size_vb(12, 2) * 10 + RELAY_DUST - 1)
    assert 11 * COIN - fee <= most < 20 * COIN
    assert most_payable([COIN] * 60, rate_minor=10, fee_cap_minor=10**6) == MOST_INPUTS * COIN - size_vb(20, 2) * 10
