"""How much one payout can carry: the most that coin choice can put into a single transaction within its fee cap."""

from collections.abc import Sequence

from wallets.chains.sizes import size_vb
from wallets.signer.coins import MOST_INPUTS


def most_payable(coins: Sequence[int], *, fee_cap_minor: int, rate_minor: int) -> int:
    """Return the largest amount that these free coins, largest first, pay in one transaction; 0 when none; pure.

    Minor units; the fee is not part of it. The same rule as wallets' coin choice: the largest together, as long as the
    fee of their number stays within the cap.
    """
    best = total = 0
    for count, coin in enumerate(coins[:MOST_INPUTS], start=1):
        total += coin
        fee = size_vb(count, 2) * rate_minor
        if fee > fee_cap_minor:
            break
        best = max(best, total - fee)
    return best
