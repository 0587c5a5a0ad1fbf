"""What changes an order: moves, notes, and nothing that a caller did not name."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import translation

from core.money import Money
from core.states import IllegalTransition
from orders import states
from orders.addresses import set_payout_address, set_refund_address
from orders.models import Order
from orders.payout import request_order_payout, request_payouts
from orders.reasons import Reason, describe_reason
from orders.transition import move, note
from orders.turn import Turn
from tests.orders.conftest import NOW
from tests.orders.rows import ETH_ADDRESS, LTC_ADDRESS, bring_back, follow, open_one, pay, reload, remove
from wallets.models import Payout
from wallets.payouts import request_payout

pytestmark = pytest.mark.usefixtures("site")


def held() -> Order:
    """Return a paid order that waits for its payout address."""
    order = open_one(payout_address="")
    follow(pay(order))
    return reload(order)


@pytest.mark.parametrize("reorganisations", [1, 2, 3])
def test_an_order_without_address_is_never_paid_whatever_the_chain_does(reorganisations: int) -> None:
    order = open_one(payout_address="")
    deposit = follow(pay(order))
    for _ in range(reorganisations):
        remove(deposit)
        follow(deposit)
        assert reload(order).exception == states.REORG
        bring_back(deposit)
        follow(deposit)

    now = reload(order)
    assert (now.state, now.exception, now.hold_reason) == (states.EXCHANGING, states.NONE, states.ADDRESS)
    assert (now.next_actor, now.deadline) == (states.CUSTOMER, NOW + timedelta(hours=72))
    assert request_payouts(asset="ETH", at=NOW) == 0
    assert not request_order_payout(reference=order.reference, at=NOW)
    assert not Payout.objects.exists()


def test_nothing_else_lifts_the_hold_and_the_address_does() -> None:
    order = held()
    follow(pay(order))  # a second deposit
    set_refund_address(order_reference=order.reference, address=LTC_ADDRESS, at=NOW, actor="customer")
    assert reload(order).hold_reason == states.ADDRESS

    set_payout_address(order_reference=order.reference, address=ETH_ADDRESS, at=NOW, actor="customer")

    free = reload(order)
    assert (free.hold_reason, free.next_actor) == (states.NO_HOLD, states.MACHINE)
    assert request_payouts(asset="ETH", at=NOW) == 1
    assert Payout.objects.get().address == ETH_ADDRESS


def test_the_database_refuses_what_would_be_paid_to_nobody() -> None:
    order = held()
    for change in ({"hold_reason": ""}, {"state": states.PAYING}, {"state": states.COMPLETED}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Order.objects.filter(pk=order.pk).update(**change)
    with pytest.raises(IntegrityError, match="payout_has_an_address"), transaction.atomic():
        request_payout(
            purpose="order:x:settle",
            owner_ref="x",
            address="",
            amount=Money(1, order.get_asset),
            fee_cap=Money(1, order.get_asset),
            funded_by=[],
            at=NOW,
        )


UNTOUCHED = ("state", "exception", "hold_reason", "next_actor", "deadline")


@pytest.mark.parametrize("hold", [states.NO_HOLD, states.LIQUIDITY, states.ADDRESS])
@pytest.mark.parametrize("exception", states.EXCEPTIONS)
def test_a_note_changes_only_what_it_names(hold: str, exception: str) -> None:
    order = open_one()
    kept = {"state": states.EXCHANGING, "exception": exception, "hold_reason": hold, "next_actor": "operator"}
    Order.objects.filter(pk=order.pk).update(**kept, deadline=NOW + timedelta(days=9))
    before = reload(order)
    changed = {"exception": states.SECOND, "hold_reason": states.NO_HOLD, "next_actor": "customer", "deadline": NOW}
    named = {
        "exception": {"exception": states.SECOND},
        "hold_reason": {"hold": states.NO_HOLD},
        "next_actor": {"turn": Turn("customer", NOW)},
    }
    for name, argument in ({"": {}} | named).items():
        row = reload(order)
        with transaction.atomic():
            note(row, actor="operator", reason=Reason.OVERDUE, at=NOW, **argument)
        after = reload(order)
        touched = {name, "deadline"} if name == "next_actor" else {name}
        for field in UNTOUCHED:
            assert getattr(after, field) == (changed[field] if field in touched else getattr(before, field))
        assert after.transitions.count() == after.transition_count
        Order.objects.filter(pk=order.pk).update(**kept, deadline=before.deadline)


def test_a_move_keeps_hold_and_exception_and_follows_the_table() -> None:
    order = open_one()
    Order.objects.filter(pk=order.pk).update(
        state=states.CONFIRMING, exception=states.UNDERPAID, hold_reason=states.LIQUIDITY
    )
    order = reload(order)
    move(order, states.REFUNDING, actor="customer", reason=Reason.REFUND_ASKED, at=NOW)
    after = reload(order)
    assert (after.exception, after.hold_reason) == (states.UNDERPAID, states.LIQUIDITY)
    for target in (states.REFUNDING, states.COMPLETED):  # where it is already is no move
        with pytest.raises(IllegalTransition):
            move(after, target, actor="machine", reason=Reason.OVERDUE, at=NOW)


def words_of(language: str) -> dict[Reason, str]:
    with translation.override(language):
        return {reason: describe_reason(reason.value) for reason in Reason}


def test_every_reason_has_words_of_its_own_in_each_language() -> None:
    english = words_of("en")
    for language, _name in settings.LANGUAGES:
        words = words_of(language)
        assert all(words.values())
        assert len(set(words.values())) == len(words)
        if language != "en":
            assert [reason for reason in Reason if words[reason] == english[reason]] == []


def test_only_known_reasons_are_recorded_and_unknown_ones_are_a_plain_step() -> None:
    with pytest.raises(ValueError, match="is not a valid Reason"):
        note(open_one(), actor="machine", reason="because", at=NOW)  # type: ignore[arg-type] -- what must not work
    assert describe_reason("of_a_newer_release") == "One more step"
