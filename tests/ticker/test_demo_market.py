from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ticker.demo_market import walk

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
ANCHOR = Decimal("84.5")


def path(rounds: int, start: Decimal | None = None) -> list[Decimal]:
    mids, previous = [], start
    for count in range(rounds):
        at = AT + timedelta(seconds=10 * count)
        rate = walk(market="LTC-USD", anchor=ANCHOR, previous=previous, at=at, round_s=10)
        assert 0 < rate.bid < rate.ask
        assert (rate.sources, rate.at) == (("demo",), at)
        previous = rate.mid
        mids.append(previous)
    return mids


def test_the_same_instants_give_the_same_walk():
    assert path(50) == path(50)


def test_the_price_moves():
    assert len(set(path(50))) == 50


def test_a_day_of_rounds_stays_near_the_demo_price():
    assert all(ANCHOR * 85 < mid * 100 < ANCHOR * 115 for mid in path(8640))


def test_a_coin_that_follows_the_dollar_barely_moves():
    previous = Decimal(1)
    for count in range(1000):
        at = AT + timedelta(seconds=10 * count)
        previous = walk(market="USDT-USD", anchor=Decimal(1), previous=previous, at=at, round_s=10).mid
        assert Decimal("0.985") < previous < Decimal("1.015")


@given(st.decimals(min_value="0.000001", max_value="1000000", places=6))
def test_no_step_is_a_jump_from_a_price_near_the_anchor(start):
    (mid,) = path(1, start)

    near = start if ANCHOR / 2 < start < ANCHOR * 2 else ANCHOR
    assert abs(mid - near) * 100 < near
