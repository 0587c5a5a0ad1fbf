"""Which coins can pay what in one transaction, on chains that have outputs: pure arithmetic over amounts in minor units.

Choosing (wallets.signer.coins) and offering (orders.offer) ask the same functions, so that nothing is sold
that could not be paid.
"""

from collections.abc import Sequence

from wallets.chains.sizes import size_vb

MOST_INPUTS = 20
MOST_JOINED = 100  # 7 kB: well below the 100 kB that nodes relay, and soon paid for
JOIN_FEE_PERCENT = 1  # of what is joined may go to the miners: more, and the coins had better wait
RELAY_DUST = 5460  # no node of the family relays an output that is smaller than this, at the outside


def least_change(fee_minor: int, inputs: int) -> int:
    """Return the smallest change worth an output: spending it later costs one more input at this transaction's own rate."""
    return max(fee_minor // (inputs + 1), RELAY_DUST)


def fits(inputs: int, *, rate_minor: int, fee_cap_minor: int) -> bool:
    """Say whether so many inputs stay within the cap, even when change that is too small is left to the fee."""
    fee = size_vb(inputs, 2) * rate_minor
    return inputs <= MOST_INPUTS and fee + least_change(fee, inputs) - 1 <= fee_cap_minor


def count_needed(largest: Sequence[int], *, amount_minor: int, rate_minor: int, fee_cap_minor: int) -> int:
    """Return how many of the coins, given largest first, pay `amount` and their own fee; 0 when no number of them does."""
    total = 0
    for count, minor in enumerate(largest, start=1):
        total += minor
        if not fits(count, rate_minor=rate_minor, fee_cap_minor=fee_cap_minor):
            return 0
        if total >= amount_minor + size_vb(count, 2) * rate_minor:
            return count
    return 0


def join_fee(inputs: int, rate_minor: int) -> int:
    """Return what joining so many coins into one costs at this rate."""
    return size_vb(inputs, 1) * rate_minor


def least_joined(rate_minor: int) -> int:
    """Return the smallest coin worth joining: two of them or more never cost over JOIN_FEE_PERCENT of what they come to.

    Anybody can send us a hundred smaller ones; these are left where they lie, or nothing could be joined any more.
    """
    return -(-join_fee(2, rate_minor) * 100 // (2 * JOIN_FEE_PERCENT))


def smallest_within(smallest: Sequence[int], most_minor: int) -> int:
    """Return how many of the coins, given smallest first, come to `most_minor` or less."""
    total = 0
    for count, minor in enumerate(smallest[:MOST_JOINED]):
        total += minor
        if total > most_minor:
            return count
    return min(len(smallest), MOST_JOINED)


def most_payable(largest: Sequence[int], *, rate_minor: int, fee_cap_minor: int) -> int:
    """Return the most that these coins, given largest first, can pay in one transaction within the cap; 0 when nothing."""
    best, total = 0, 0
    for count, minor in enumerate(largest, start=1):
        if not fits(count, rate_minor=rate_minor, fee_cap_minor=fee_cap_minor):
            break
        total += minor
        best = max(best, total - size_vb(count, 2) * rate_minor)
    return best
