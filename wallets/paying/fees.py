"""What a payout is expected to cost, which the customer is charged, and the most it may cost, which the house bears.

Two numbers on purpose: the cap leaves room to outbid ourselves when a chain gets busier, and nobody should pay for room
that is rarely used. The difference between charged and paid stands in the books: revenue:network less expense:network.
"""

from core.models import Asset
from core.money import Money
from wallets.chains.fees import FEE_BOUNDS
from wallets.chains.params import NETWORKS
from wallets.chains.sizes import PLAIN_GAS, size_vb

# The cap is the largest payout (Asset.payout_units) at this many times the advised rate. An ordinary payout takes less
# than half of those units, so its own rate may rise eight times (outputs) or eleven times (gas) before it waits.
CAP_TIMES = 4


def ordinary_units(asset: Asset) -> int:
    """Return the virtual bytes (one coin in, payment and change out) or the gas of a payout as most of them are; pure."""
    return size_vb(1, 2) if (asset.network, "main") in NETWORKS else PLAIN_GAS


def offered_rate(asset: Asset, rate_minor: int) -> int:
    """Return what is offered per unit when the node advises `rate_minor` (0: it has not said), within bounds; pure."""
    return int(min(max(asset.fee_rate_floor_minor, rate_minor), FEE_BOUNDS[asset.network].most))


def expected_fee(asset: Asset, rate_minor: int) -> Money:
    """Return what an ordinary payout costs at the advised rate per unit, up to the next quote step; pure."""
    return _up(ordinary_units(asset) * offered_rate(asset, rate_minor), asset)


def fee_cap(asset: Asset, rate_minor: int) -> Money:
    """Return the most that may ever be mined for one payout asked for at this advised rate; pure.

    Never more than an ordinary payout at the highest rate that is believed at all.
    """
    most = ordinary_units(asset) * FEE_BOUNDS[asset.network].most
    return _up(min(CAP_TIMES * asset.payout_units * offered_rate(asset, rate_minor), most), asset)


def _up(minor: int, asset: Asset) -> Money:
    return Money(-(-minor // asset.quote_step) * asset.quote_step, asset)
