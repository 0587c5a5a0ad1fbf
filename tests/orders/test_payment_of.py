"""One transaction is one payment: the sum of its outputs, seen when the first was, and counted only when all count."""

from datetime import UTC, datetime, timedelta

import pytest

from core.models import Asset
from orders.judge import payment_of
from wallets.models import Deposit

LTC = Asset(code="LTC", scale=8, quote_step=1)
AT = datetime(2026, 11, 28, tzinfo=UTC)


def output(minor: int, *, seconds: int = 0, counts: bool = True) -> Deposit:
    seen = AT + timedelta(seconds=seconds)
    return Deposit(asset=LTC, amount_minor=minor, first_seen_at=seen, sight_counts=counts, mined_at=AT)


@pytest.mark.parametrize(
    ("counting", "counts"),
    [((True,), True), ((False,), False), ((True, True), True), ((True, False), False), ((False, True), False)],
)
def test_a_sight_counts_only_when_that_of_each_output_does(counting: tuple[bool, ...], counts: bool) -> None:
    payment = payment_of([output(1, counts=each) for each in counting])

    assert payment.sight.counts is counts


def test_amounts_are_added_and_the_first_sight_is_taken() -> None:
    payment = payment_of([output(5, seconds=3), output(7, seconds=-2), output(1, seconds=9)])

    assert payment.amount.minor == 13
    assert payment.sight.first_seen_at == AT - timedelta(seconds=2)
    assert payment.sight.mined_at == AT
