"""wallets.paying.fees: customers are charged what a payout is expected to cost, and the cap is a figure of its own."""

import pytest

from core.models import Asset
from wallets.chains.sizes import PLAIN_GAS, size_vb
from wallets.paying.fees import CAP_TIMES, expected_fee, fee_cap

GWEI = 10**9
LTC = Asset(code="LTC", network="litecoin", scale=8, quote_step=1, payout_units=360, fee_rate_floor_minor=10)
ETH = Asset(
    code="ETH", network="ethereum", scale=18, quote_step=10**10, payout_units=60_000, fee_rate_floor_minor=2 * GWEI
)

# asset, advised rate per unit (0: the node has not said yet), charged, cap
CASES = [
    (LTC, 0, 166 * 10, 4 * 360 * 10),
    (LTC, 9, 166 * 10, 4 * 360 * 10),
    (LTC, 10, 166 * 10, 4 * 360 * 10),
    (LTC, 11, 166 * 11, 4 * 360 * 11),
    (ETH, 0, 21_000 * 2 * GWEI, 240_000 * 2 * GWEI),
    (ETH, 2 * GWEI - 1, 21_000 * 2 * GWEI, 240_000 * 2 * GWEI),
    (ETH, 2 * GWEI + 1, 21_000 * (2 * GWEI + 1), 240_000 * (2 * GWEI + 1)),  # up to the next step of 10**10 wei
    (ETH, 50 * GWEI, 21_000 * 50 * GWEI, 240_000 * 50 * GWEI),
    (ETH, 175 * GWEI, 21_000 * 175 * GWEI, 21_000 * 2000 * GWEI),  # the first cap above the bound of 0.042 ether
    (ETH, 2000 * GWEI, 21_000 * 2000 * GWEI, 21_000 * 2000 * GWEI),
    (ETH, 2001 * GWEI, 21_000 * 2000 * GWEI, 21_000 * 2000 * GWEI),
    (LTC, 115, 166 * 115, 4 * 360 * 115),
    (LTC, 116, 166 * 116, 166_000),
    (LTC, 1000, 166_000, 166_000),
    (LTC, 13_000, 166_000, 166_000),  # 0.13 LTC a kilobyte, as a node once advised
]


@pytest.mark.parametrize(("asset", "rate", "charged", "cap"), CASES)
def test_fee_and_cap(asset: Asset, rate: int, charged: int, cap: int) -> None:
    step = asset.quote_step
    assert expected_fee(asset, rate).minor == -(-charged // step) * step
    assert fee_cap(asset, rate).minor == -(-cap // step) * step


@pytest.mark.parametrize(("asset", "paid_units"), [(LTC, size_vb(1, 2)), (ETH, PLAIN_GAS)])
def test_an_ordinary_payout_is_charged_what_it_costs_and_may_be_outbid_many_times(
    asset: Asset, paid_units: int
) -> None:
    rate = 10 * asset.fee_rate_floor_minor
    assert expected_fee(asset, rate).minor == paid_units * rate
    assert fee_cap(asset, rate).minor >= 8 * expected_fee(asset, rate).minor
    assert fee_cap(asset, rate).minor == CAP_TIMES * asset.payout_units * rate
