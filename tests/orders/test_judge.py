"""The rules that decide about a payment, as tables of cases: at the edge, one unit below it, one above.

The unit of an amount is the asset's smallest one; of an instant, one microsecond, the finest that the database keeps.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.models import Asset
from core.money import Money
from orders import states
from orders.judge import (
    Keep,
    Payment,
    Sight,
    Terms,
    judge,
    keep_of,
    least_that_executes,
    most_that_executes,
    must_be_mined_by,
    rate_holds,
    terms_of,
)
from orders.models import Order
from orders.policy import PAYMENT_WINDOW
from tests.sources import ROOT
from wallets.chains.networks import LONGEST_FIRST_CONFIRMATION, NETWORKS, find_network
from wallets.paying.fees import expected_fee
from wallets.states import CREDIT, DUST, WAITING

ASSETS: dict[str, Asset] = {
    row["pk"]: Asset(
        code=row["pk"], **{k: int(v) if k.endswith(("minor", "step")) else v for k, v in row["fields"].items()}
    )
    for row in json.loads((ROOT / "fixtures/assets.json").read_text(encoding="utf-8"))
}
LTC, ETH = ASSETS["LTC"], ASSETS["ETH"]
OPENED = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DEADLINE = OPENED + PAYMENT_WINDOW
TICK = timedelta(microseconds=1)
WINDOW = find_network("litecoin").first_confirmation
SEND = Money(200_000_000, LTC)  # 2 LTC
GET = Money(64 * 10**15, ETH)


def terms(**changes: Any) -> Terms:
    fields: dict[str, Any] = {
        "send": SEND,
        "get": GET,
        "dust_minor": LTC.dust_minor,
        "deadline": DEADLINE,
        "first_confirmation": WINDOW,
    }
    return Terms(**(fields | changes))


def sight(seen: datetime = OPENED, mined: datetime | None = OPENED, *, counts: bool = True) -> Sight:
    return Sight(first_seen_at=seen, counts=counts, mined_at=mined)


def paid(minor: int, seen: Sight | None = None) -> Payment:
    return Payment(Money(minor, SEND.asset), seen or sight())


# --- the tolerance: 0.5 % of 2 LTC are 1,000,000 litoshi ---------------------------------------------------------------

TOLERANCE = [
    (198_999_999, states.UNDERPAID),
    (199_000_000, states.NONE),
    (199_000_001, states.NONE),
    (200_000_000, states.NONE),
    (200_999_999, states.NONE),
    (201_000_000, states.NONE),
    (201_000_001, states.OVERPAID),
]


@pytest.mark.parametrize(("minor", "exception"), TOLERANCE)
def test_tolerance(minor: int, exception: str) -> None:
    verdict = judge(paid(minor), terms())
    assert verdict.exception == exception
    assert verdict.disposition == (CREDIT if exception == states.NONE else WAITING)


@pytest.mark.parametrize("send", [1, 199, 200, 201, 399, 400, 401, 5_000_001, 10**18 + 7])
def test_the_edges_of_the_tolerance_are_exact_for_amounts_that_do_not_divide(send: int) -> None:
    least, most = least_that_executes(Money(send, LTC)), most_that_executes(Money(send, LTC))
    assert least * 10_000 >= send * 9_950 > (least - 1) * 10_000
    assert most * 10_000 <= send * 10_050 < (most + 1) * 10_000


PRO_RATA = [
    (200_000_000, 64 * 10**15),
    (199_999_999, 64 * 10**15),  # one quote step off is a wallet's rounding: what was promised
    (200_000_001, 64 * 10**15),
    (199_999_998, 63_999_990_000_000_000),  # from there on the same rate, rounded down to a step of 10^10 wei
    (200_000_002, 64_000_000_000_000_000),
    (199_000_000, 63_680_000_000_000_000),
    (201_000_000, 64_320_000_000_000_000),
]


@pytest.mark.parametrize(("minor", "get"), [case for case in PRO_RATA if case[0] % 1_000_000 == 0])
def test_what_executes_gets_the_same_rate(minor: int, get: int) -> None:
    assert judge(paid(minor), terms()).get == Money(get, ETH)


# --- the deadline, and the confirmation window -------------------------------------------------------------------------

LATE = DEADLINE + timedelta(hours=1)
RATE = [
    # (first seen, its sight counts, mined, our reading was interrupted across the deadline) -> the rate holds
    ("mined just in time", LATE, True, DEADLINE - TICK, False, True),
    ("mined at the deadline", LATE, True, DEADLINE, False, False),
    ("mined just too late", LATE, True, DEADLINE + TICK, False, False),
    ("mined in time whatever its fee was", OPENED, False, DEADLINE - TICK, False, True),
    ("mined in time, long after it was seen", OPENED - WINDOW, True, DEADLINE - TICK, False, True),
    ("seen just in time, mined at the window's end", DEADLINE - TICK, True, DEADLINE - TICK + WINDOW, False, True),
    ("seen just in time, mined just before it", DEADLINE - TICK, True, DEADLINE - 2 * TICK + WINDOW, False, True),
    ("seen just in time, mined just after it", DEADLINE - TICK, True, DEADLINE + WINDOW, False, False),
    ("seen at the deadline", DEADLINE, True, DEADLINE + TICK, False, False),
    ("seen in time, at a fee that does not count", DEADLINE - TICK, False, DEADLINE, False, False),
    ("an hour after it was seen", OPENED, True, OPENED + timedelta(hours=1), False, False),
    ("never mined", OPENED, True, None, False, False),
    ("nobody looked: mined at the window's end", LATE, True, DEADLINE + WINDOW, True, True),
    ("nobody looked: mined just before it", LATE, True, DEADLINE + WINDOW - TICK, True, True),
    ("nobody looked: mined just after it", LATE, True, DEADLINE + WINDOW + TICK, True, False),
    ("nobody looked: seen at the deadline", DEADLINE, True, DEADLINE + WINDOW, True, True),
    ("nobody looked, but it was seen before: its own window", OPENED, True, DEADLINE + TICK, True, False),
    ("nobody looked: a fee that does not count", LATE, False, DEADLINE + TICK, True, False),
]


@pytest.mark.parametrize(
    ("seen", "counts", "mined", "interrupted", "holds"), [case[1:] for case in RATE], ids=[c[0] for c in RATE]
)
def test_rate(seen: datetime, counts: bool, mined: datetime | None, interrupted: bool, holds: bool) -> None:
    what = sight(seen, mined, counts=counts)
    assert rate_holds(what, terms(interrupted=interrupted)) is holds
    if mined is not None:
        verdict = judge(paid(SEND.minor, what), terms(interrupted=interrupted))
        assert verdict.exception == (states.NONE if holds else states.PAID_LATE)


@pytest.mark.parametrize("code", sorted(NETWORKS))
def test_each_network_binds_a_rate_for_twenty_minutes_at_most(code: str) -> None:
    assert timedelta(0) < find_network(code).first_confirmation <= LONGEST_FIRST_CONFIRMATION == timedelta(minutes=20)


def test_no_more_than_the_two_windows_lie_between_the_price_and_the_block_that_gets_it() -> None:
    """The free option: 80 minutes once."""
    for record in NETWORKS.values():
        asked = terms(first_confirmation=record.first_confirmation)
        latest = must_be_mined_by(sight(DEADLINE - TICK), asked)
        assert latest is not None
        assert latest - OPENED < timedelta(minutes=40)


# --- dust: published with the asset, whatever fees are --------------------------------------------------------------

DUST_CASES = [(asset, extra) for asset in ("LTC", "ETH") for extra in (-1, 0, 1)]


@pytest.mark.parametrize(("code", "extra"), DUST_CASES)
def test_dust(code: str, extra: int) -> None:
    asset = ASSETS[code]
    promised = terms(send=Money(asset.minimum_minor, asset), dust_minor=asset.dust_minor)
    payment = Payment(Money(asset.dust_minor + extra, asset), sight())
    assert judge(payment, promised).disposition == (WAITING if extra > 0 else DUST)


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_dust_is_dust_after_the_payment_too(taken: bool, extra: int) -> None:
    verdict = judge(paid(LTC.dust_minor + extra, sight(LATE, LATE)), terms(taken=taken))
    assert verdict.disposition == (WAITING if extra > 0 else DUST)
    assert verdict.exception == (states.SECOND if taken else states.PAID_LATE)


def test_what_executes_is_never_dust() -> None:
    tiny = terms(send=Money(LTC.dust_minor, LTC))
    assert judge(paid(LTC.dust_minor), tiny).disposition == CREDIT


@pytest.mark.parametrize("code", sorted(code for code, asset in ASSETS.items() if asset.network))
def test_whatever_is_more_than_dust_pays_for_its_return_when_fees_are_low(code: str) -> None:
    asset = ASSETS[code]
    lowest_fee = expected_fee(asset, 0)
    assert asset.dust_minor + 1 - lowest_fee.minor >= find_network(asset.network).least_output_minor
    assert asset.dust_minor < asset.minimum_minor


# --- one payment per order ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minor", [SEND.minor - 1, SEND.minor, SEND.minor + 1, SEND.minor // 2, SEND.minor * 2])
def test_an_order_that_had_its_payment_takes_no_second_one(minor: int) -> None:
    verdict = judge(paid(minor), terms(taken=True))
    assert (verdict.disposition, verdict.exception, verdict.get) == (WAITING, states.SECOND, None)


@pytest.mark.parametrize("state", states.ORDER.states)
@pytest.mark.parametrize("priced", [True, False])
@pytest.mark.parametrize("sent_back", [True, False])
def test_an_order_had_its_payment_once_it_was_priced_or_sent_back(state: str, priced: bool, sent_back: bool) -> None:
    order = Order(state=state, send_asset=LTC, send_minor=5, get_asset=ETH, get_minor=7, payment_deadline=DEADLINE)
    order.priced_at = OPENED if priced else None
    found = terms_of(order, first_confirmation=WINDOW, interrupted=not priced, sent_back=sent_back)

    refunds = state in (states.REFUNDING, states.REFUND_FAILED, states.REFUNDED)
    assert found.taken is (priced or sent_back or refunds)
    assert (found.send, found.get, found.dust_minor) == (Money(5, LTC), Money(7, ETH), LTC.dust_minor)
    assert (found.deadline, found.first_confirmation, found.interrupted) == (DEADLINE, WINDOW, not priced)


# --- the promise of coins ---------------------------------------------------------------------------------------------

LEAST = 199_000_000
SEEN_LATE = DEADLINE - timedelta(minutes=1)
UNTIL = SEEN_LATE + WINDOW
PROMISE = [
    ("nothing came", [], Keep(funded=False, until=DEADLINE)),
    ("one unit too little, mined", [paid(LEAST - 1)], Keep(funded=False, until=DEADLINE)),
    ("just enough, mined", [paid(LEAST)], Keep(funded=True, until=None)),
    ("one unit more, mined", [paid(LEAST + 1)], Keep(funded=True, until=None)),
    ("too little, unmined", [paid(LEAST - 1, sight(SEEN_LATE, None))], Keep(funded=False, until=DEADLINE)),
    ("just enough, unmined", [paid(LEAST, sight(SEEN_LATE, None))], Keep(funded=True, until=UNTIL)),
    (
        "enough, at a fee that does not count",
        [paid(LEAST, sight(SEEN_LATE, None, counts=False))],
        Keep(False, DEADLINE),
    ),
    (
        "enough, seen so early that the deadline is later",
        [paid(LEAST, sight(OPENED - WINDOW, None))],
        Keep(True, DEADLINE),
    ),
    ("seen just in time", [paid(LEAST, sight(DEADLINE - TICK, None))], Keep(True, DEADLINE - TICK + WINDOW)),
    ("seen at the deadline", [paid(LEAST, sight(DEADLINE, None))], Keep(funded=False, until=DEADLINE)),
    ("mined too late for the rate", [paid(LEAST, sight(LATE, LATE))], Keep(funded=False, until=DEADLINE)),
    ("dust beside it changes nothing", [paid(1), paid(LEAST), paid(2)], Keep(funded=True, until=None)),
    ("dust a hundred times", [paid(LTC.dust_minor)] * 100, Keep(funded=False, until=DEADLINE)),
    ("the later of two", [paid(LEAST, sight(OPENED, None)), paid(LEAST, sight(SEEN_LATE, None))], Keep(True, UNTIL)),
]


@pytest.mark.parametrize(("payments", "keep"), [case[1:] for case in PROMISE], ids=[case[0] for case in PROMISE])
def test_promise(payments: list[Payment], keep: Keep) -> None:
    assert keep_of(payments, terms()) == keep


def test_the_cases_are_data_that_a_person_can_read() -> None:
    assert len(Path(__file__).read_text(encoding="utf-8").splitlines()) < 400
    assert len({case[0] for case in RATE}) == len(RATE)
