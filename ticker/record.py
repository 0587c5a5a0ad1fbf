"""Recording a round: ask the venues, judge, and store what each said and where each market stands now.

The one verb that writes prices. Nothing is asked inside a transaction, nothing is written outside one.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import DataError, connection, transaction

from core import clock
from core.foreign import clean_text
from ticker import demo_market
from ticker.aggregate import OK, Consensus, Course, Rules, Verdict, judge_age
from ticker.catalogue import forget_catalogue
from ticker.models import Listing as ListingRow
from ticker.models import Market, MarketRate, MarketState, Observation, Round, SourceState
from ticker.round import Judged, Question, Standing, evaluate, find_data_at, group_answers
from ticker.sources.protocol import Answer, Listing, SourceError, SourceQuote
from ticker.sources.registry import ask_all, open_source

logger = logging.getLogger(__name__)
ADVISORY_LOCK = 7_301_001  # any number that no other part of the product uses
NOT_STORABLE = (ValueError, ArithmeticError, DataError)  # a value that its column refuses, seen here or by the database


@dataclass(frozen=True, slots=True)
class RoundReport:
    """What a round came to. `generated` says that the demo's own market made the rates."""

    at: datetime
    judged: tuple[Judged, ...]
    standings: tuple[Standing, ...]
    generated: bool

    @property
    def rated(self) -> int:
        return sum(standing.verdict == OK for standing in self.standings)


def record_round(*, at: datetime) -> RoundReport | None:
    """Ask all venues that are due and record the round; None when another round is too near or has overtaken it.

    1. Claim: a Round row, unless one began less than `spacing_s` ago. So two workers, or a repeat, ask once.
    2. Ask all due venues at once, outside any transaction, within `bound_s`.
    3. Under the same advisory lock: judge against the state as it is now, store, commit.

    A process killed between 1 and 3 leaves an unfinished Round without effect; the next tick does its own.
    """
    claimed = _claim(at)
    if claimed is None:
        return None
    listings, answers = _ask_venues(at)
    with transaction.atomic():
        _lock()
        if Round.objects.filter(at__gt=at, finished_at__isnull=False).exists():
            return None
        report = _store(claimed, listings, answers)
    forget_catalogue()
    return report


def _claim(at: datetime) -> Round | None:
    spacing = timedelta(seconds=settings.TICKER_ROUND["spacing_s"])
    with transaction.atomic():
        _lock()
        if Round.objects.filter(at__gt=at - spacing).exists():
            return None
        return Round.objects.create(at=at)


def _lock() -> None:
    # A transaction's advisory lock, not a session's: it also works behind a connection pooler.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])


def _ask_venues(at: datetime) -> tuple[dict[str, list[Listing]], dict[str, list[Answer]]]:
    if settings.TICKER_MARKET == "demo":
        return {}, {}
    listings: dict[str, list[Listing]] = {}
    rows = ListingRow.objects.filter(enabled=True, market__enabled=True, source__in=settings.TICKER_BASE_URLS)
    for row in rows.order_by("source", "market_id"):
        listings.setdefault(row.source, []).append(Listing(row.market_id, row.symbol, row.quote))
    resting = {
        state.source: SourceError(
            "backing_off", f"failed {state.failures} times; again at {state.next_try_at:%H:%M:%S}"
        )
        for state in SourceState.objects.filter(source__in=listings, next_try_at__gt=at)
    }
    asked = [
        (open_source(source, settings.TICKER_BASE_URLS[source]), listings[source])
        for source in listings
        if source not in resting
    ]
    answers = ask_all(asked, bound_s=settings.TICKER_ROUND["bound_s"])
    answers |= {source: [error for _ in listings[source]] for source, error in resting.items()}
    return listings, answers


def _store(
    claimed: Round, listings: Mapping[str, Sequence[Listing]], answers: Mapping[str, Sequence[Answer]]
) -> RoundReport:
    at, ahead_s = claimed.at, settings.TICKER_ROUND["ahead_s"]
    markets = list(Market.objects.filter(enabled=True).select_related("state").order_by("code"))
    states = {source.source: source for source in SourceState.objects.filter(source__in=listings)}
    grouped = group_answers(listings, answers)
    questions = [_question(market, grouped.get(market.code, {}), states) for market in markets]
    judged, standings = evaluate(questions, at=at, ahead_s=ahead_s)
    generated = _falls_back(questions, judged, standings, at)
    if generated:
        standings = [_generate(market, at) for market in markets]
    _store_observations(claimed, judged)
    _store_sources(at, listings, answers, states)
    _store_standings(at, markets, standings, generated=generated)
    report = RoundReport(at, tuple(judged), tuple(standings), generated)
    claimed.finished_at, claimed.generated, claimed.rated = clock.now(), generated, report.rated
    claimed.save(update_fields=["finished_at", "generated", "rated"])
    return report


def _rules(market: Market) -> Rules:
    return Rules(**{name: getattr(market, name) for name in Rules.__dataclass_fields__})


def _question(market: Market, answers: Mapping[str, Answer], states: Mapping[str, SourceState]) -> Question:
    seen = {}
    for source, state in states.items():
        if market.code in state.seen:
            fingerprint, changed_at = state.seen[market.code]
            seen[source] = (fingerprint, datetime.fromisoformat(changed_at))
    return Question(market.code, market.base, _rules(market), _live_course(market), answers, seen)


def _live_course(market: Market) -> Course:
    state = getattr(market, "state", None)
    # The venues are never compared with generated prices: going live is not a jump.
    if state is None or state.generated or state.bid is None or state.ask is None or state.rate_at is None:
        return Course()
    return Course(
        good=Consensus(state.bid, state.ask, tuple(state.sources), state.rate_at),
        paused_at=state.paused_at,
        candidate=state.candidate,
        agreeing_rounds=state.agreeing_rounds,
    )


def _falls_back(
    questions: Sequence[Question], judged: Iterable[Judged], standings: Sequence[Standing], at: datetime
) -> bool:
    """Whether the generated market makes this round: asked for, or "auto" with no answer and no fresh live rate."""
    if settings.SITE_MODE != "demo" or settings.TICKER_MARKET == "live":
        return False
    if settings.TICKER_MARKET == "demo":
        return True
    if any(isinstance(each.answer, SourceQuote) for each in judged):
        return False
    rules = {question.market: question.rules for question in questions}
    goods = [(standing.course.good, rules[standing.market]) for standing in standings]
    return not any(good and judge_age(good.at, at, rule, ahead_s=0) == OK for good, rule in goods)


def _generate(market: Market, at: datetime) -> Standing:
    state = getattr(market, "state", None)
    previous: Decimal | None = (state.bid + state.ask) / 2 if state and state.bid and state.ask else None
    rate = demo_market.walk(
        market=market.code,
        anchor=market.demo_price,
        previous=previous,
        at=at,
        round_s=settings.TICKER_ROUND["period_s"],
    )
    return Standing(market.code, Course(good=rate), Verdict("ok"))


def _store_observations(claimed: Round, judged: Iterable[Judged]) -> None:
    """Store what each venue said, each apart: what of one cannot be stored is said in its rows and costs no other."""
    by_source: dict[str, list[Judged]] = {}
    for each in judged:
        by_source.setdefault(each.source, []).append(each)
    received_at = clock.now()
    for source, said in by_source.items():
        try:
            with transaction.atomic():
                Observation.objects.bulk_create([_observation(claimed, each, received_at) for each in said])
        except NOT_STORABLE as error:
            logger.exception("what %s said cannot be stored", source)
            failed = SourceError("not_stored", f"{type(error).__name__}: {error}")
            verdict = Verdict(failed.code, failed.reason)
            silent = [replace(each, answer=failed, verdict=verdict) for each in said]
            Observation.objects.bulk_create([_observation(claimed, each, received_at) for each in silent])


def _observation(claimed: Round, judged: Judged, received_at: datetime) -> Observation:
    quote = judged.answer if isinstance(judged.answer, SourceQuote) else None
    return Observation(
        round=claimed,
        market_id=judged.market,
        source=judged.source,
        quote=quote.quote if quote else "",
        bid=quote.bid if quote and quote.bid.is_finite() else None,
        ask=quote.ask if quote and quote.ask.is_finite() else None,
        venue_at=quote.venue_at if quote else None,
        received_at=received_at,
        verdict=clean_text(judged.verdict.code, most=32),
        reason=clean_text(judged.verdict.reason),
    )


def _store_sources(
    at: datetime,
    listings: Mapping[str, Sequence[Listing]],
    answers: Mapping[str, Sequence[Answer]],
    states: Mapping[str, SourceState],
) -> None:
    for source, asked in listings.items():
        errors = [answer for answer in answers[source] if isinstance(answer, SourceError)]
        if any(error.code == "backing_off" for error in errors):
            continue
        state = states.get(source) or SourceState(source=source)
        failed = any(error.whole for error in errors) or len(errors) == len(asked)
        state.failures = min(state.failures + 1, 1000) if failed else 0
        state.next_try_at = at + _back_off(state.failures) if failed else None
        state.error_code = errors[0].code if errors else ""
        for listing, answer in zip(asked, answers[source], strict=True):
            if isinstance(answer, SourceQuote) and answer.venue_at is None:
                state.seen = {**state.seen, listing.market: _seen(answer, state.seen.get(listing.market), at)}
        try:
            with transaction.atomic():
                state.save()
        except NOT_STORABLE:
            logger.exception("where %s stands cannot be stored", source)


def _seen(quote: SourceQuote, before: list[str] | None, at: datetime) -> list[str]:
    known = (before[0], datetime.fromisoformat(before[1])) if before else None
    return [quote.fingerprint, find_data_at(quote, known, at).isoformat()]


def _back_off(failures: int) -> timedelta:
    first, longest = settings.TICKER_ROUND["backoff_first_s"], settings.TICKER_ROUND["backoff_max_s"]
    return timedelta(seconds=min(longest, first * 2 ** min(failures - 1, 20)))


def _store_standings(
    at: datetime, markets: Sequence[Market], standings: Iterable[Standing], *, generated: bool
) -> None:
    by_code = {market.code: market for market in markets}
    for standing in standings:
        state = getattr(by_code[standing.market], "state", None) or MarketState(market_id=standing.market)
        state.checked_at, state.code, state.reason = at, standing.verdict.code, clean_text(standing.verdict.reason)
        course, good = standing.course, standing.course.good
        state.paused_at, state.candidate = course.paused_at, course.candidate
        state.agreeing_rounds = course.agreeing_rounds
        # Without a good rate of its own a live round leaves the generated one alone, to grow stale by itself.
        if good:
            state.bid, state.ask, state.sources, state.rate_at = good.bid, good.ask, list(good.sources), good.at
            state.generated = generated
        state.save()
    MarketRate.objects.bulk_create(
        [
            MarketRate(market_id=each.market, at=at, bid=good.bid, ask=good.ask, sources=list(good.sources))
            for each in standings
            if each.verdict == OK and (good := each.course.good)
        ],
        ignore_conflicts=True,
    )
