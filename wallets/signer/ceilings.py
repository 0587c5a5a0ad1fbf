"""How much a signer lets go: by payout, hour and day, and by hour against the deposits of each other network.

The figures are the signer's own configuration, the counting is from its own journal: neither is in the database. What is
over a ceiling waits for a person, who approves that one payment on the signer's host (`manage.py approve_payout`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from core.models import Asset
from core.money import Money
from wallets.signer.journal import APPROVED, SIGNED, Line

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ceilings:
    """In minor units of the network's own coin; each may be reached and not passed."""

    payout: int
    hour: int
    day: int
    funded_hour: int  # against the deposits of any one other network


def read_ceilings(asset: Asset) -> Ceilings:
    """Return the ceilings of the network of `asset`, which the settings give in whole coins."""
    coins = settings.CEILINGS[asset.network]
    payout, hour, day, funded = (
        Money.parse(coins[name], asset).minor for name in ("payout", "hour", "day", "funded_hour")
    )
    return Ceilings(payout, hour, day, funded)


def find_excess(line: Line, before: Sequence[Line], ceilings: Ceilings, *, network: str) -> str:
    """Name the ceiling that signing `line` after `before` would pass, or nothing; pure.

    A payout that was signed already counts once, however often it is signed. A span is the last 60 minutes, or 24 hours,
    up to `line.at`, its beginning left out. What a person approved counts in no span and is held back by none.
    """
    if any(other.what == APPROVED and other.pays_like(line) for other in before):
        return ""
    if line.minor > ceilings.payout:
        return f"{line.minor} is over the ceiling of one payout, {ceilings.payout}"
    approved = {other.payout for other in before if other.what == APPROVED}
    counted = [other for other in before if other.what == SIGNED and other.payout not in approved | {line.payout}]
    for name, span, most in (("an hour", HOUR, ceilings.hour), ("a day", DAY, ceilings.day)):
        total = line.minor + _sum(counted, line.at - span)
        if total > most:
            return f"{total} is over the ceiling of {name}, {most}"
    for funding in sorted({*line.funding} - {network}):
        total = line.minor + _sum([other for other in counted if funding in other.funding], line.at - HOUR)
        if total > ceilings.funded_hour:
            return f"{total} is over the ceiling of an hour against deposits of {funding}, {ceilings.funded_hour}"
    return ""


def _sum(lines: Sequence[Line], after: datetime) -> int:
    largest: dict[int, int] = {}
    for line in lines:
        if line.at > after:
            largest[line.payout] = max(largest.get(line.payout, 0), line.minor)
    return sum(largest.values())
