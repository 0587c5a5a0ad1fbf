"""From what venues said to a rate, or to the reason why there is none. Pure functions: no clock, no database.

`judge` looks at one quote, `agree` at all quotes of a market, `follow` at the market over rounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext

BPS = Decimal(10000)
PLACES = Decimal("1e-12")
# Enough for the exact product of two prices and a mean; rounding happens once, at the end, in `_whole`.
EXACT = Context(prec=90)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a market asks of its prices; see ticker.models.Market, whose columns these are."""

    minimum_sources: int
    max_age_s: int
    max_spread_bps: int
    agree_bps: int
    jump_bps: int
    resume_rounds: int
    lowest: Decimal
    highest: Decimal


@dataclass(frozen=True, slots=True)
class Offer:
    """One venue's quote in dollars; `data_at` is when it was true."""

    source: str
    bid: Decimal
    ask: Decimal
    data_at: datetime

    @property
    def mid(self) -> Decimal:
        return EXACT.divide(EXACT.add(self.bid, self.ask), Decimal(2))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something counts: `code` is "ok" or a stable word, `reason` says it with the numbers."""

    code: str
    reason: str = ""


OK = Verdict("ok")


@dataclass(frozen=True, slots=True)
class Consensus:
    """The medians of the venues that agree; `at` is the oldest datum among them."""

    bid: Decimal
    ask: Decimal
    sources: tuple[str, ...]
    at: datetime

    @property
    def mid(self) -> Decimal:
        return EXACT.divide(EXACT.add(self.bid, self.ask), Decimal(2))


@dataclass(frozen=True, slots=True)
class Course:
    """A market over rounds: its latest good rate, and the pause if it jumped away from it."""

    good: Consensus | None = None
    paused_at: datetime | None = None
    candidate: Decimal | None = None
    agreeing_rounds: int = 0


def judge(bid: Decimal, ask: Decimal, rules: Rules) -> Verdict:
    """Say whether a quote can be a price at all: finite, positive, not crossed, inside the bounds, not too wide."""
    if not (bid.is_finite() and ask.is_finite()):
        return Verdict("not_finite", f"bid {bid}, ask {ask}")
    if bid <= 0 or ask <= 0:
        return Verdict("not_positive", f"bid {bid:.12g}, ask {ask:.12g}")
    if bid > ask:
        return Verdict("crossed", f"bid {bid:.12g} above ask {ask:.12g}")
    if bid < rules.lowest or ask > rules.highest:
        return Verdict("out_of_bounds", f"{bid:.12g}/{ask:.12g} outside {rules.lowest:.12g} to {rules.highest:.12g}")
    with localcontext(EXACT):
        spread_bps = (ask - bid) * 2 / (ask + bid) * BPS
    if spread_bps > rules.max_spread_bps:
        return Verdict("spread", f"{spread_bps:.0f} bps between bid and ask, {rules.max_spread_bps} allowed")
    return OK


def judge_age(data_at: datetime, at: datetime, rules: Rules, *, ahead_s: int) -> Verdict:
    """Say whether data of `data_at` is fresh at `at`; a venue's clock may run ahead by `ahead_s`."""
    age_s = (at - data_at) // timedelta(seconds=1)
    if at - data_at > timedelta(seconds=rules.max_age_s):
        return Verdict("stale", f"{age_s} s old, {rules.max_age_s} allowed")
    if data_at - at > timedelta(seconds=ahead_s):
        return Verdict("future", f"{-age_s} s ahead of our clock")
    return OK


def agree(offers: Sequence[Offer], rules: Rules) -> tuple[dict[str, Verdict], Consensus | Verdict]:
    """Return a verdict per source, and the consensus of those that agree or the reason why there is none.

    1. The median of the middles; a source farther from it than `agree_bps` is an outlier.
    2. At least `minimum_sources` must remain.
    3. Bid and ask are the medians of what remains (so bid <= ask), rounded outwards to twelve places.
    """
    if not offers:
        return {}, Verdict("no_sources", "no venue gave a usable price")
    middle = _median([offer.mid for offer in offers])
    with localcontext(EXACT):
        limit = middle * rules.agree_bps / BPS
        away = {offer.source: abs(offer.mid - middle) for offer in offers}
        verdicts = {
            source: OK if distance <= limit else Verdict("outlier", f"{distance / middle * BPS:.0f} bps off the median")
            for source, distance in away.items()
        }
    kept = [offer for offer in offers if verdicts[offer.source] == OK]
    if len(kept) < rules.minimum_sources:
        return verdicts, Verdict("too_few_sources", f"{len(kept)} agree, {rules.minimum_sources} needed")
    return verdicts, Consensus(
        bid=_whole(_median([offer.bid for offer in kept]), ROUND_FLOOR),
        ask=_whole(_median([offer.ask for offer in kept]), ROUND_CEILING),
        sources=tuple(sorted(offer.source for offer in kept)),
        at=min(offer.data_at for offer in kept),
    )


def follow(course: Course, outcome: Consensus | Verdict, rules: Rules, at: datetime) -> tuple[Course, Verdict]:
    """Return the market's course after this round and the round's verdict ("ok", "paused", or why there was no rate).

    A consensus farther than `jump_bps` from the latest good rate pauses the market; it resumes with the
    `resume_rounds`-th round in a row whose middles agree with the one before. A round without a consensus starts that
    count again.
    """
    if isinstance(outcome, Verdict):
        return replace(course, agreeing_rounds=0, candidate=None), outcome
    if course.paused_at is None and (course.good is None or not _apart(outcome.mid, course.good.mid, rules.jump_bps)):
        return Course(good=outcome), OK
    agreeing = course.candidate is not None and not _apart(outcome.mid, course.candidate, rules.agree_bps)
    rounds = course.agreeing_rounds + 1 if agreeing else 1
    if rounds >= rules.resume_rounds:
        return Course(good=outcome), OK
    paused = replace(
        course, paused_at=course.paused_at or at, candidate=_whole(outcome.mid, ROUND_FLOOR), agreeing_rounds=rounds
    )
    return paused, Verdict("paused", f"price jumped; {rounds} of {rules.resume_rounds} rounds agree")


def _apart(one: Decimal, other: Decimal, limit_bps: int) -> bool:
    with localcontext(EXACT):
        return abs(one - other) * BPS > other * limit_bps


def _median(values: Sequence[Decimal]) -> Decimal:
    ordered = sorted(values)
    half = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[half]
    return EXACT.divide(EXACT.add(ordered[half - 1], ordered[half]), Decimal(2))


def _whole(value: Decimal, rounding: str) -> Decimal:
    return value.quantize(PLACES, rounding=rounding, context=EXACT)
