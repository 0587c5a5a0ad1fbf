"""What can be done next about an order, as a table: which deposit, payout or state asks whom for what."""

from typing import Any

import pytest

from orders import states
from orders.moves import Case, DepositFact, Next, PayoutFact, next_moves
from wallets import states as w

CUSTOMER, MACHINE, OPERATOR = states.CUSTOMER, states.MACHINE, states.OPERATOR
REFUND = (CUSTOMER, OPERATOR)  # its owner asks for it, or the operator for them


def moves(state: str, **changes: Any) -> list[Next]:
    return list(next_moves(Case(reference="O1", state=state, **changes)))


def actors(state: str, **changes: Any) -> tuple[str, ...]:
    return tuple(move.actor for move in moves(state, **changes))


DEPOSITS: list[tuple[str, str, str, dict[str, str], tuple[str, ...]]] = [
    # the deposit's state and disposition, the order's state and what else it says, and who can do something about it
    (w.SEEN, "", states.CONFIRMING, {}, (MACHINE,)),
    (w.CONFIRMED, "", states.CONFIRMING, {}, (MACHINE,)),
    (w.REMOVED, "", states.CONFIRMING, {}, (MACHINE,)),
    (w.CONFIRMED, w.WAITING, states.CONFIRMING, {}, REFUND),
    (w.CONFIRMED, w.WAITING, states.COMPLETED, {}, REFUND),
    (w.CONFIRMED, w.CREDIT, states.PAYING, {}, ()),
    (w.CONFIRMED, w.CREDIT, states.PAYING, {"next_actor": OPERATOR}, ()),
    (w.CONFIRMED, w.CREDIT, states.PAYING, {"next_actor": CUSTOMER}, REFUND),
    (w.CONFIRMED, w.CREDIT, states.SENT, {"next_actor": CUSTOMER}, ()),
    (w.CONFIRMED, w.REFUND, states.REFUNDING, {}, ()),
    (w.REMOVED, w.CREDIT, states.PAYING, {}, ()),
    (w.REMOVED, w.CREDIT, states.PAYING, {"exception": states.REORG}, (MACHINE, OPERATOR)),
    (w.REMOVED, w.WAITING, states.CONFIRMING, {"exception": states.REORG}, (MACHINE, OPERATOR)),
    (w.REMOVED, w.WAITING, states.CONFIRMING, {"exception": states.UNDERPAID}, ()),
    (w.CONFIRMED, w.DUST, states.CONFIRMING, {}, ()),
]


@pytest.mark.parametrize(("state", "disposition", "order", "also", "who"), DEPOSITS)
def test_who_moves_a_deposit(
    state: str, disposition: str, order: str, also: dict[str, str], who: tuple[str, ...]
) -> None:
    assert actors(order, deposits=(DepositFact(7, state, disposition),), **also) == who


PAYOUTS: list[tuple[dict[str, Any], str, tuple[str, ...], str]] = [
    # the payout, the order's state, who can do something about it, and a word of the operator's command
    ({"state": w.REQUESTED}, states.PAYING, (MACHINE, OPERATOR), "redirect"),
    ({"state": w.REQUESTED, "signed": True}, states.PAYING, (MACHINE,), ""),
    ({"state": w.REQUESTED, "approval": True}, states.PAYING, (MACHINE, OPERATOR, OPERATOR), "approve_payout"),
    ({"state": w.REQUESTED, "approval": True, "signed": True}, states.PAYING, (MACHINE, OPERATOR), "approve_payout"),
    ({"state": w.SIGNED, "signed": True}, states.PAYING, (MACHINE,), ""),
    ({"state": w.BROADCAST, "signed": True}, states.SENT, (MACHINE,), ""),
    ({"state": w.CONFIRMED, "signed": True}, states.SENT, (MACHINE,), ""),
    ({"state": w.CONFIRMED, "signed": True}, states.COMPLETED, (), ""),
    ({"state": w.IN_DOUBT, "signed": True}, states.SENT, (MACHINE, OPERATOR), "payout"),
    ({"state": w.REJECTED}, states.PAYING, (OPERATOR,), "redirect"),
    ({"state": w.REVERTED, "signed": True}, states.SENT, (OPERATOR, OPERATOR), "payout"),
]


@pytest.mark.parametrize(("payout", "order", "who", "word"), PAYOUTS)
def test_who_moves_a_payout(payout: dict[str, Any], order: str, who: tuple[str, ...], word: str) -> None:
    found = moves(order, payouts=(PayoutFact(9, settles=True, **payout),))

    assert tuple(move.actor for move in found) == who
    said = [move.how for move in found if move.actor == OPERATOR]
    assert all("9" in how for how in said)
    assert not word or said[0].startswith(word)


ORDERS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    (states.AWAITING_DEPOSIT, {}, (CUSTOMER, MACHINE)),
    (states.AWAITING_DEPOSIT, {"address": False}, (CUSTOMER, CUSTOMER, MACHINE)),
    (states.CONFIRMING, {}, ()),
    (states.CONFIRMING, {"address": False}, (CUSTOMER,)),
    (states.EXCHANGING, {}, (MACHINE,)),
    (states.EXCHANGING, {"hold": states.LIQUIDITY}, (OPERATOR, MACHINE)),
    (states.EXCHANGING, {"hold": states.ADDRESS, "address": False}, (CUSTOMER,)),
    (states.PAYING, {"hold": states.LIQUIDITY}, ()),
    (states.PAYING, {"address": False}, ()),
    *[(state, {}, ()) for state in (states.SENT, *states.RESTING, states.REFUNDING, states.REFUND_FAILED)],
]


@pytest.mark.parametrize(("state", "also", "who"), ORDERS)
def test_who_moves_an_order(state: str, also: dict[str, Any], who: tuple[str, ...]) -> None:
    assert actors(state, **also) == who


def test_what_stands_around_an_order_is_answered_in_turn() -> None:
    everything = moves(
        states.AWAITING_DEPOSIT,
        deposits=(DepositFact(1, w.CONFIRMED, w.WAITING), DepositFact(2, w.SEEN, "")),
        payouts=(PayoutFact(3, w.REJECTED, settles=False), PayoutFact(4, w.IN_DOUBT, settles=True)),
    )

    assert tuple(move.actor for move in everything) == (
        *REFUND,
        MACHINE,
        OPERATOR,
        MACHINE,
        OPERATOR,
        CUSTOMER,
        MACHINE,
    )
    assert [move.how for move in everything if move.actor == OPERATOR][:2] == [
        "refund O1 1 ADDRESS ADDRESS",
        "redirect O1 3 ADDRESS ADDRESS",
    ]
