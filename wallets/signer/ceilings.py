"""How much a signer lets go: by payout, hour and day, and by hour against the deposits of each other network.

The figures are the signer's own configuration, the counting is from its own journal: neither is in the database. What is
over a ceiling waits for a person, who approves that one signature on the signer's host (`manage.py approve_payout`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from core.models import Asset
from core.money import Money
from wallets.signer.journal import APPROVED, REVOKED, Line, Payment

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ceilings:
    """In minor units of the network's own coin; each may be reached and not passed."""

    payout: int
    hour: int
    day: int
    funded_hour: int  # against the deposits of any one other network


@dataclass(frozen=True, slots=True)
class Left:
    """What may still be signed without a person, besides the ceiling of one payout, in minor units; never below zero."""

    hour: int
    day: int
    funded_hour: dict[str, int]  # by the network whose deposits pay


def read_ceilings(asset: Asset) -> Ceilings:
    """Return the ceilings of the network of `asset`, which the settings give in whole coins."""
    coins = settings.CEILINGS[asset.network]
    payout, hour, day, funded = (
        Money.parse(coins[name], asset).minor for name in ("payout", "hour", "day", "funded_hour")
    )
    return Ceilings(payout, hour, day, funded)


def find_excess(line: Line, before: Sequence[Line], ceilings: Ceilings, *, network: str) -> str:
    """Name the ceiling that signing `line` after `before` would pass, or nothing; pure.

    Every signature counts, also a further one for the same payout: that what it replaces is dead is told by rows, which
    others write. Only an outbid does not, as it spends what its payout's last signature spends (wallets.signer.outbid). A
    span is the last 60 minutes, or 24 hours, up to `line.at`, its beginning left out. What a person approved counts in no
    span and is held back by none.
    """
    counted, approved = _part(before)
    if line.payment in approved:
        return ""
    if line.minor > ceilings.payout:
        return f"{line.minor} is over the ceiling of one payout, {ceilings.payout}"
    for name, span, most in (("an hour", HOUR, ceilings.hour), ("a day", DAY, ceilings.day)):
        total = line.minor + _sum(counted, line.at - span)
        if total > most:
            return f"{total} is over the ceiling of {name}, {most}"
    for funding in sorted({*line.funding} - {network}):
        total = line.minor + _sum([other for other in counted if funding in other.funding], line.at - HOUR)
        if total > ceilings.funded_hour:
            return f"{total} is over the ceiling of an hour against deposits of {funding}, {ceilings.funded_hour}"
    return ""


def measure_left(
    before: Sequence[Line], ceilings: Ceilings, *, at: datetime, network: str, others: Iterable[str]
) -> Left:
    """Return what `find_excess` would still let a payout at `at` add to each span; pure. `others`: the other networks."""
    counted, _approved = _part(before)
    hour = [line for line in counted if line.at > at - HOUR]
    funding = {*others, *(name for line in hour for name in line.funding)} - {network}
    return Left(
        hour=max(ceilings.hour - _sum(hour, at - HOUR), 0),
        day=max(ceilings.day - _sum(counted, at - DAY), 0),
        funded_hour={
            name: max(ceilings.funded_hour - _sum([line for line in hour if name in line.funding], at - HOUR), 0)
            for name in sorted(funding)
        },
    )


def is_approved(line: Line, before: Sequence[Line]) -> bool:
    """Say whether a person has approved this very payment and it was not signed since; pure."""
    return line.payment in _part(before)[1]


def _part(lines: Sequence[Line]) -> tuple[list[Line], set[Payment]]:
    """Return the signatures that nobody approved, and the approvals that serve the next one: each serves once."""
    counted: list[Line] = []
    approved: set[Payment] = set()
    for line in lines:
        if line.what == APPROVED:
            approved.add(line.payment)
        elif line.payment in approved or line.what == REVOKED:
            approved.discard(line.payment)
        else:
            counted.append(line)
    return counted, approved


def _sum(lines: Sequence[Line], after: datetime) -> int:
    return sum(line.minor for line in lines if line.at > after)
