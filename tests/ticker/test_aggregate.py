from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.aggregate import OK, Consensus, Course, Offer, Rules, Verdict, agree, follow, judge, judge_age

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
RULES = Rules(
    minimum_sources=3,
    max_age_s=60,
    max_spread_bps=100,
    agree_bps=100,
    jump_bps=1000,
    resume_rounds=3,
    lowest=Decimal("0.1"),
    highest=Decimal(100000),
)


def offer(source: str, price: str, *, age_s: int = 1, spread: str = "0.02") -> Offer:
    return Offer(source, Decimal(price), Decimal(price) + Decimal(spread), AT - timedelta(seconds=age_s))


def consensus(price: str) -> Consensus:
    return Consensus(Decimal(price), Decimal(price), ("a", "b", "c"), AT)


@pytest.mark.parametrize(
    ("bid", "ask", "code"),
    [
        ("84.50", "84.60", "ok"),
        ("84.50", "84.50", "ok"),
        ("0", "84.50", "not_positive"),
        ("-84.50", "84.50", "not_positive"),
        ("0", "0", "not_positive"),
        ("84.51", "84.50", "crossed"),
        ("NaN", "84.50", "not_finite"),
        ("84.50", "Infinity", "not_finite"),
        ("84.50", "0", "not_positive"),
        ("0.1", "0.1", "ok"),
        ("100000", "100000", "ok"),
        ("199", "201", "ok"),  # 100 bps to the digit
        ("0.09", "0.09", "out_of_bounds"),
        ("84.50", "1e400", "out_of_bounds"),
        ("1e-400", "84.50", "out_of_bounds"),
        ("100001", "100001", "out_of_bounds"),
        ("100", "101.004", "ok"),
        ("100", "101.006", "spread"),
        ("84.50", "845.00", "spread"),
    ],
)
def test_judges_one_quote(bid, ask, code):
    assert judge(Decimal(bid), Decimal(ask), RULES).code == code


@pytest.mark.parametrize(
    ("age_s", "code"), [(0, "ok"), (60, "ok"), (61, "stale"), (86400, "stale"), (-15, "ok"), (-16, "future")]
)
def test_judges_the_age_of_data(age_s, code):
    assert judge_age(AT - timedelta(seconds=age_s), AT, RULES, ahead_s=15).code == code


def test_data_a_microsecond_too_old_is_stale():
    assert judge_age(AT - timedelta(seconds=60, microseconds=1), AT, RULES, ahead_s=15).code == "stale"


def test_takes_the_medians_of_venues_that_agree():
    offers = [offer("a", "84.40"), offer("b", "84.50", age_s=9), offer("c", "84.70"), offer("d", "84.60")]

    verdicts, outcome = agree(offers, RULES)

    assert outcome == Consensus(Decimal("84.55"), Decimal("84.57"), ("a", "b", "c", "d"), AT - timedelta(seconds=9))
    assert set(verdicts.values()) == {OK}


def test_a_tenfold_price_among_four_is_an_outlier():
    offers = [offer("a", "84.40"), offer("b", "84.50"), offer("c", "84.60"), offer("liar", "845.00")]

    verdicts, outcome = agree(offers, RULES)

    assert verdicts["liar"].code == "outlier"
    assert isinstance(outcome, Consensus)
    assert outcome.bid == Decimal("84.50")


def test_a_tenfold_price_among_three_leaves_too_few():
    verdicts, outcome = agree([offer("a", "84.40"), offer("b", "84.50"), offer("liar", "845.00")], RULES)

    assert verdicts["liar"].code == "outlier"
    assert outcome == Verdict("too_few_sources", "2 agree, 3 needed")


def test_two_camps_give_no_price_at_all():
    verdicts, outcome = agree([offer("a", "84"), offer("b", "84"), offer("c", "90"), offer("d", "90")], RULES)

    assert {verdict.code for verdict in verdicts.values()} == {"outlier"}
    assert isinstance(outcome, Verdict)


def test_no_offers_give_a_reason_and_never_a_price():
    assert agree([], RULES) == ({}, Verdict("no_sources", "no venue gave a usable price"))


def test_one_percent_off_the_median_counts_and_more_does_not():
    def verdict_at(price: str) -> str:
        offers = [offer(name, "100", spread="0") for name in "abc"] + [offer("edge", price, spread="0")]
        return agree(offers, RULES)[0]["edge"].code

    assert (verdict_at("101"), verdict_at("99"), verdict_at("101.0001"), verdict_at("98.9999")) == (
        "ok",
        "ok",
        "outlier",
        "outlier",
    )


def run(course: Course, *prices: str | None) -> tuple[Course, list[str]]:
    """Follow a market over rounds; None is a round without a consensus."""
    codes = []
    for count, price in enumerate(prices):
        outcome = consensus(price) if price else Verdict("too_few_sources")
        course, verdict = follow(course, outcome, RULES, AT + timedelta(seconds=10 * count))
        codes.append(verdict.code)
    return course, codes


def test_a_move_of_ten_percent_goes_through_and_more_pauses():
    assert run(Course(good=consensus("100")), "110")[1] == ["ok"]
    assert run(Course(good=consensus("100")), "90")[1] == ["ok"]
    assert run(Course(good=consensus("100")), "110.01")[1] == ["paused"]
    assert run(Course(good=consensus("100")), "89.99")[1] == ["paused"]


def test_resumes_with_the_third_agreeing_round():
    course, codes = run(Course(good=consensus("100")), "200", "201", "200.5")

    assert codes == ["paused", "paused", "ok"]
    assert course == Course(good=consensus("200.5"))


def test_rounds_that_disagree_count_from_one_again():
    _, codes = run(Course(good=consensus("100")), "200", "201", "210", "211", "212")

    assert codes == ["paused", "paused", "paused", "paused", "ok"]


def test_a_round_without_a_price_counts_from_one_again():
    _, codes = run(Course(good=consensus("100")), "200", "200", None, "200", "200", "200")

    assert codes == ["paused", "paused", "too_few_sources", "paused", "paused", "ok"]


def test_coming_back_from_a_jump_also_takes_three_rounds():
    course, codes = run(Course(good=consensus("100")), "1000", "100", "100", "100")

    assert codes == ["paused", "paused", "paused", "ok"]
    assert course.paused_at is None


def test_a_pause_keeps_its_beginning_and_the_latest_good_rate():
    course, _ = run(Course(good=consensus("100")), "200", "300")

    assert (course.paused_at, course.good, course.agreeing_rounds) == (AT, consensus("100"), 1)


def test_the_first_rate_ever_needs_no_comparison():
    assert run(Course(), "100") == (Course(good=consensus("100")), ["ok"])


# --- Properties -------------------------------------------------------------------------------------------------------

any_decimal = st.decimals(allow_nan=True, allow_infinity=True) | st.sampled_from(
    [Decimal("1e999999"), Decimal("-1e-999999"), Decimal(0), Decimal("-0")]
)
price = st.decimals(min_value="0.1", max_value="99000", places=8)


@st.composite
def offers(draw: st.DrawFn) -> list[Offer]:
    """Return offers that each pass `judge`: some near a common price, some anywhere."""
    common = draw(price)
    found = []
    for source in "abcdef"[: draw(st.integers(0, 6))]:
        bid = draw(price) if draw(st.booleans()) else common * (1 + Decimal(draw(st.integers(-80, 80))) / 10000)
        ask = bid * (1 + Decimal(draw(st.integers(0, 99))) / 10000)
        if judge(bid, ask, RULES) == OK:
            found.append(Offer(source, bid, ask, AT - timedelta(seconds=draw(st.integers(0, 60)))))
    return found


@given(any_decimal, any_decimal)
def test_no_number_breaks_the_judge_or_passes_it_wrongly(bid, ask):
    verdict = judge(bid, ask, RULES)

    if verdict == OK:
        assert RULES.lowest <= bid <= ask <= RULES.highest


@given(offers())
def test_a_consensus_is_never_crossed_zero_or_outside_what_was_said(given_offers):
    verdicts, outcome = agree(given_offers, RULES)

    assert set(verdicts) == {each.source for each in given_offers}
    if isinstance(outcome, Consensus):
        kept = [each for each in given_offers if verdicts[each.source] == OK]
        assert {each.source for each in kept} == set(outcome.sources)
        assert len(kept) >= RULES.minimum_sources
        assert 0 < outcome.bid <= outcome.ask
        tick = Decimal("1e-12")
        assert min(each.bid for each in kept) - tick <= outcome.bid <= max(each.bid for each in kept)
        assert min(each.ask for each in kept) <= outcome.ask <= max(each.ask for each in kept) + tick
        assert outcome.at == min(each.data_at for each in kept)
    else:
        assert sum(verdict == OK for verdict in verdicts.values()) < RULES.minimum_sources


@given(offers())
def test_whoever_counts_is_within_one_percent_of_the_median_of_all(given_offers):
    verdicts, _ = agree(given_offers, RULES)

    for each in given_offers:
        middle = median(other.mid for other in given_offers)
        assert (verdicts[each.source] == OK) == (abs(each.mid - middle) <= middle / 100)


@given(offers())
def test_the_order_of_the_venues_changes_nothing(given_offers):
    assert agree(given_offers, RULES) == agree(given_offers[::-1], RULES)


@given(offers(), price)
def test_one_liar_among_four_honest_venues_moves_the_price_by_less_than_their_own_difference(_, lie):
    honest = [offer("a", "84.40"), offer("b", "84.50"), offer("c", "84.60"), offer("d", "84.55")]

    _, outcome = agree([*honest, Offer("liar", lie, lie, AT)], RULES)

    assert isinstance(outcome, Consensus)
    assert Decimal("84.40") <= outcome.bid <= Decimal("84.60")


@given(st.lists(st.none() | st.integers(50, 200), max_size=12))
def test_a_rate_is_only_good_near_the_one_before_or_after_three_agreeing_rounds(path):
    course, good, run_length, previous = Course(), None, 0, None
    for count, cents in enumerate(path):
        outcome = Verdict("no_sources") if cents is None else consensus(str(cents))
        course, verdict = follow(course, outcome, RULES, AT + timedelta(seconds=10 * count))
        near = previous is not None and cents is not None and abs(cents - previous) * 100 <= previous
        run_length = 0 if cents is None else run_length + 1 if near else 1
        previous = cents
        if verdict == OK:
            assert good is None or abs(cents - good) * 10 <= good or run_length >= RULES.resume_rounds
            good = cents
        assert (course.good.bid if course.good else None) == good


def test_what_is_said_of_a_quote_has_its_numbers():
    old, ahead = AT - timedelta(seconds=61), AT + timedelta(seconds=16)

    assert judge_age(old, AT, RULES, ahead_s=15).reason == "61 s old, 60 allowed"
    assert judge_age(ahead, AT, RULES, ahead_s=15).reason == "16 s ahead of our clock"
    offers = [offer(name, "100", spread="0") for name in "abc"] + [offer("far", "103", spread="0")]
    assert agree(offers, RULES)[0]["far"].reason == "300 bps off the median"


def test_the_middle_of_an_offer_lies_between_bid_and_ask():
    assert offer("a", "84.40", spread="0.20").mid == Decimal("84.50")
