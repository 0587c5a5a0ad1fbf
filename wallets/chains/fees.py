"""How far a node is believed about fees: bounds per network, so that no advice takes a customer's coins.

Amounts are minor units per unit of size: litoshi per virtual byte, wei per gas.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeeBounds:
    """`least`, `most` per unit; `most_tip` of the tip alone, on chains that have one."""

    least: int
    most: int
    most_tip: int = 0


# The most is above what each network's worst weeks cost. More is a broken or hostile node's idea, or an hour such as that
# of May 2022 on Ethereum: then what is built with the bound may wait, and coins are not burnt.
# The least is what nodes relay by default (Core: 1 per virtual byte; Dogecoin Core: 0.001 DOGE a kilobyte).
FEE_BOUNDS = {
    "litecoin": FeeBounds(least=1, most=1_000),  # 0.01 LTC a kilobyte; ordinary: 1 to 50
    "bitcoin": FeeBounds(least=1, most=3_000),  # April 2024 saw about 1,800
    "dogecoin": FeeBounds(least=100, most=500_000),  # 5 DOGE a kilobyte; ordinary: 1,000 to 10,000
    "ethereum": FeeBounds(least=1, most=2_000 * 10**9, most_tip=100 * 10**9),  # 0.042 ETH a payment; ordinary: 1 to 100
}


def clamp(name: str, advised: int, least: int, most: int, notes: list[str]) -> int:
    """Return `advised` within the bounds; what had to be changed is added to `notes` in words."""
    taken = min(max(advised, least), most)
    if taken < advised:
        notes.append(f"{name} {advised} is over the bound, {taken} is taken")
    return taken
