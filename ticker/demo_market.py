"""The generated market of the demo: a seeded random walk around each market's `demo_price`. Pure functions.

It makes prices where no venue answers, so that the whole site can be tried without a network. What it makes is
recorded under the source name "demo", and every page says so (`ticker.market.is_generated`).
"""

import random
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from ticker.aggregate import BPS, PLACES, Consensus

NAME = "demo"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STEP_BPS, STEADY_STEP_BPS = 15, 1  # farthest move in one round: of a coin, of a coin that follows the dollar
PULL = 500  # each round goes back a 500th of the way to the demo price, so the walk stays near it
HALF_SPREAD_BPS = Decimal(3)


def walk(*, market: str, anchor: Decimal, previous: Decimal | None, at: datetime, round_s: int) -> Consensus:
    """Return the generated market's next rate after the middle `previous`.

    The same market, instant (to the round) and previous middle give the same rate, so a demo can be repeated.
    """
    step = (at - EPOCH) // timedelta(seconds=round_s)
    dice = random.Random(f"{market}:{step}")  # noqa: S311 -- a toy market, not a secret
    reach = STEADY_STEP_BPS if market.startswith("USD") else STEP_BPS
    start = anchor if previous is None else previous
    # A database that lived with real prices may stand far from the anchor: begin again there instead of crawling.
    if not anchor / 2 < start < anchor * 2:
        start = anchor
    mid = start + (anchor - start) / PULL + start * dice.randint(-reach, reach) / BPS
    half = mid * HALF_SPREAD_BPS / BPS
    return Consensus(
        bid=(mid - half).quantize(PLACES, rounding=ROUND_FLOOR),
        ask=(mid + half).quantize(PLACES, rounding=ROUND_CEILING),
        sources=(NAME,),
        at=at,
    )
