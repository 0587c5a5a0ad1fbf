"""One round, evaluated: from the venues' answers to a verdict on each and a course for each market. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from ticker.aggregate import EXACT, OK, Consensus, Course, Offer, Rules, Verdict, agree, follow, judge, judge_age
from ticker.sources.protocol import Answer, Listing, SourceError, SourceQuote

DOLLAR = "USD"


@dataclass(frozen=True, slots=True)
class Question:
    """A market of the round: its rules, its course so far, and what each asked venue answered."""

    market: str
    base: str
    rules: Rules
    course: Course
    answers: Mapping[str, Answer]
    seen: Mapping[str, tuple[str, datetime]]  # source: its latest fingerprint and when that changed


@dataclass(frozen=True, slots=True)
class Judged:
    """One venue's answer for one market, with its verdict; `data_at` is when what it said was true."""

    market: str
    source: str
    answer: Answer
    verdict: Verdict
    data_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a market's round came to: its course now and the verdict, "ok" when it got a rate."""

    market: str
    course: Course
    verdict: Verdict


def evaluate(questions: Sequence[Question], *, at: datetime, ahead_s: int) -> tuple[list[Judged], list[Standing]]:
    """Judge every answer and follow every market.

    1. Markets in whose base other venues quote (USDT) come first: their own median converts the others.
    2. Each answer becomes an offer in dollars or gets the verdict that excludes it.
    3. The offers of a market agree on a rate or do not, and the market's course follows.
    """
    bases = {question.base: question for question in questions}
    needed = {
        answer.quote
        for question in questions
        for answer in question.answers.values()
        if isinstance(answer, SourceQuote) and answer.quote != DOLLAR
    }
    ordered = [bases[base] for base in sorted(needed & set(bases))]
    ordered += [question for question in questions if question not in ordered]
    converters: dict[str, Consensus] = {}
    judged: list[Judged] = []
    standings: list[Standing] = []
    for question in ordered:
        found, standing = _evaluate_market(question, converters, at, ahead_s)
        judged += found
        standings.append(standing)
        good = standing.course.good
        fresh = good and judge_age(good.at, at, question.rules, ahead_s=ahead_s) == OK
        if good and fresh and standing.course.paused_at is None:
            converters[question.base] = good
    return judged, standings


def _evaluate_market(
    question: Question, converters: Mapping[str, Consensus], at: datetime, ahead_s: int
) -> tuple[list[Judged], Standing]:
    judged: list[Judged] = []
    offers: list[Offer] = []
    for source, answer in question.answers.items():
        if isinstance(answer, SourceError):
            judged.append(Judged(question.market, source, answer, Verdict(answer.code, answer.reason)))
            continue
        data_at = find_data_at(answer, question.seen.get(source), at)
        verdict = _judge_quote(answer, data_at, question.rules, at, ahead_s)
        if verdict == OK and answer.quote != DOLLAR and answer.quote not in converters:
            verdict = Verdict("no_conversion", f"no fresh rate of {answer.quote} itself")
        if verdict == OK:
            offers.append(_to_dollars(source, answer, data_at, converters, at))
        judged.append(Judged(question.market, source, answer, verdict, data_at))
    verdicts, outcome = agree(offers, question.rules)
    course, verdict = follow(question.course, outcome, question.rules, at)
    judged = [replace(each, verdict=verdicts[each.source]) if each.verdict == OK else each for each in judged]
    return judged, Standing(question.market, course, verdict)


def find_data_at(quote: SourceQuote, seen: tuple[str, datetime] | None, at: datetime) -> datetime:
    """Return when a quote was true: the venue's time, or when its answer last differed from the one before.

    A venue without a time that is asked for the first time counts from its first answer; frozen, it is stale after
    the market's age limit.
    """
    if quote.venue_at is not None:
        return quote.venue_at
    if seen and seen[0] == quote.fingerprint:
        return min(seen[1], at)
    return at


def _judge_quote(quote: SourceQuote, data_at: datetime, rules: Rules, at: datetime, ahead_s: int) -> Verdict:
    verdict = judge(quote.bid, quote.ask, rules)
    if verdict != OK:
        return verdict
    verdict = judge_age(data_at, at, rules, ahead_s=ahead_s)
    if verdict.code == "stale" and quote.venue_at is None:
        return Verdict("frozen", f"the same answer since {verdict.reason}")
    return verdict


def _to_dollars(
    source: str, quote: SourceQuote, data_at: datetime, converters: Mapping[str, Consensus], at: datetime
) -> Offer:
    # A venue's clock may run a little ahead; a rate may not claim to be younger than the round that made it.
    data_at = min(data_at, at)
    if quote.quote == DOLLAR:
        return Offer(source, quote.bid, quote.ask, data_at)
    converter = converters[quote.quote]
    return Offer(
        source,
        bid=_times(quote.bid, converter.bid),
        ask=_times(quote.ask, converter.ask),
        data_at=min(data_at, converter.at),
    )


def _times(price: Decimal, rate: Decimal) -> Decimal:
    return EXACT.multiply(price, rate)


def group_answers(
    listings: Mapping[str, Sequence[Listing]], answers: Mapping[str, Sequence[Answer]]
) -> dict[str, dict[str, Answer]]:
    """Turn answers per venue (in the order of its listings) into answers per market and venue."""
    grouped: dict[str, dict[str, Answer]] = {}
    for source, asked in listings.items():
        for listing, answer in zip(asked, answers[source], strict=True):
            grouped.setdefault(listing.market, {})[source] = answer
    return grouped
