"""The proof itself: it accepts what agrees and names whatever is one unit off."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from core.money import Money
from demo.customers import Opened
from demo.proof import prove_refund, prove_swap
from orders.books import BookedDeposit, BookedPayout, BookLine, OrderBooks, Step

LTC = SimpleNamespace(code="LTC", scale=8, quote_step=1)
ETH = SimpleNamespace(code="ETH", scale=18, quote_step=10**10)
SENT, GOT, BACK = 150_000_000, 42_000_000_000_000_000, 149_990_000
OPENED = Opened("O1", "rltc1q", Money(SENT, LTC), Money(GOT, ETH), "0x00")
DEPOSIT = BookedDeposit(7, "aa", SENT, "CONFIRMED", "CREDIT", "deposit:7:refund", SENT)
PAYOUT = BookedPayout("order:O1:settle", "ETH", "0x00", GOT, 1, "CONFIRMED", "bb", GOT)
REFUND = BookedPayout("deposit:7:refund", "LTC", "rltc1q", BACK, 1, "CONFIRMED", "bb", BACK)
SWAPPED = OrderBooks(
    reference="O1",
    state="COMPLETED",
    exception="NONE",
    send_asset="LTC",
    get_asset="ETH",
    promised_send_minor=SENT,
    promised_get_minor=GOT,
    credited_get_minor=GOT,
    deposits=(DEPOSIT,),
    payouts=(PAYOUT,),
    lines=(
        BookLine("deposit:7", "deposit", "LTC", -SENT),
        BookLine("exchange:O1", "exchange", "LTC", SENT),
        BookLine("exchange:O1", "exchange", "ETH", -GOT),
        BookLine("close:order:O1:settle", "payout", "ETH", GOT),
    ),
    steps=(Step(1, "COMPLETED", "NONE", "machine", "", datetime(2026, 1, 1, tzinfo=UTC)),),
)
REFUNDED = replace(
    SWAPPED,
    credited_get_minor=None,
    payouts=(REFUND,),
    lines=(
        BookLine("deposit:7", "deposit", "LTC", -SENT),
        BookLine("refund-fee:7", "refund fee", "LTC", SENT - BACK),
        BookLine("close:deposit:7:refund", "payout", "LTC", BACK),
    ),
)


def swap(books=SWAPPED, opened=OPENED, sent=SENT, arrived=GOT):
    return prove_swap(opened=opened, books=books, sent=Money(sent, LTC), arrived=Money(arrived, ETH))


def refund(books=REFUNDED, promised=BACK, sent=SENT, arrived=BACK):
    return prove_refund(
        promised=Money(promised, LTC), books=books, deposit_id=7, sent=Money(sent, LTC), arrived=Money(arrived, LTC)
    )


def test_accepts_what_agrees():
    assert swap() == []
    assert refund() == []


@pytest.mark.parametrize("off", [-1, 1])
@pytest.mark.parametrize(
    "books",
    [
        lambda off: replace(SWAPPED, promised_get_minor=GOT + off),
        lambda off: replace(SWAPPED, credited_get_minor=GOT + off),
        lambda off: replace(SWAPPED, payouts=(replace(PAYOUT, minor=GOT + off),)),
        lambda off: replace(SWAPPED, payouts=(replace(PAYOUT, booked_minor=GOT + off),)),
        lambda off: replace(SWAPPED, deposits=(replace(DEPOSIT, minor=SENT + off),)),
        lambda off: replace(SWAPPED, deposits=(replace(DEPOSIT, booked_minor=SENT + off),)),
        lambda off: replace(SWAPPED, lines=(*SWAPPED.lines, BookLine("x", "x", "ETH", off))),
        lambda off: replace(SWAPPED, lines=(*SWAPPED.lines, BookLine("x", "x", "LTC", off))),
    ],
)
def test_one_unit_in_the_books_of_a_swap_is_found(books, off):
    assert len(swap(books(off))) == 1


@pytest.mark.parametrize("off", [-1, 1])
def test_one_unit_between_customer_and_chain_is_found(off):
    assert len(swap(arrived=GOT + off)) == 1
    assert len(swap(opened=replace(OPENED, get=Money(GOT + off, ETH)))) == 1
    assert len(swap(sent=SENT + off)) == 1
    assert len(refund(promised=BACK + off)) == 1
    assert len(refund(arrived=BACK + off)) == 1
    assert len(refund(sent=SENT + off)) == 1


@pytest.mark.parametrize("off", [-1, 1])
def test_one_unit_in_the_books_of_a_refund_is_found(off):
    assert len(refund(replace(REFUNDED, payouts=(replace(REFUND, minor=BACK + off),)))) == 1
    assert len(refund(replace(REFUNDED, payouts=(replace(REFUND, booked_minor=BACK + off),)))) == 1
    assert len(refund(replace(REFUNDED, lines=(*REFUNDED.lines, BookLine("x", "x", "LTC", off))))) == 1


def test_a_payout_that_is_missing_doubled_or_not_asked_for_is_found():
    assert swap(replace(SWAPPED, payouts=()))
    assert swap(replace(SWAPPED, payouts=(replace(PAYOUT, booked_minor=None),)))
    assert swap(replace(SWAPPED, payouts=(PAYOUT, REFUND)))
    assert refund(replace(REFUNDED, payouts=()))
    assert refund(replace(REFUNDED, payouts=(REFUND, PAYOUT)))
