"""The web asks, the worker acts: what is asked for is shown at once, carried out once, or refused in words."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from embit import bech32

from core.errors import DomainError
from ledger.balances import find_imbalances, get_balance, get_floor_balance
from ledger.models import Entry
from ledger.post import post_entry
from ledger.reserve import release_entry, reserve_entry
from orders import states
from orders.choices import ask_for_refund, carry_out, carry_out_choices
from orders.expire import escalate_overdue, offer_refunds
from orders.models import Choice, Order, Promise
from orders.payout import request_order_payout
from orders.reads import build_view
from tests.orders.conftest import NOW
from tests.orders.rows import ETH_ADDRESS, LTC_ADDRESS, SEEN, confirm, follow, open_one, pay, reload, send
from wallets import states as wallet_states
from wallets.models import ChainState, Deposit, Payout
from wallets.states import REFUND, WAITING

pytestmark = pytest.mark.usefixtures("site")
OTHER = str(bech32.encode("rltc", 0, b"\x08" * 20))


def waiting(share: int = 2) -> tuple[Order, Deposit]:
    """Return an order that was paid too little, and the deposit."""
    order = open_one()
    return order, follow(pay(order, order.send_minor // share))


def ask(order: Order, deposit: Deposit, address: str = LTC_ADDRESS, **changes: Any) -> Choice:
    fields = {
        "order_reference": order.reference,
        "deposit_id": deposit.pk,
        "address": address,
        "address_repeated": address,
        "at": NOW,
        "actor": "customer",
    }
    return ask_for_refund(**(fields | changes))


def carry_all() -> int:
    return carry_out_choices(chain="litecoin", at=NOW)


def test_asking_moves_no_money_and_is_shown_at_once() -> None:
    order, deposit = waiting()
    entries = Entry.objects.count()

    ask(order, deposit)

    assert (Entry.objects.count(), Payout.objects.count()) == (entries, 0)
    deposit.refresh_from_db()
    assert deposit.disposition == WAITING
    asked = reload(order)
    assert (asked.state, asked.next_actor, asked.refund_address) == (states.CONFIRMING, states.MACHINE, "")
    view = build_view(asked, at=NOW, is_owner=True)
    (shown,) = view.deposits
    assert shown.choice is not None
    assert (shown.choice.open, shown.choice.address, shown.choice.refusal) == (True, LTC_ADDRESS, "")
    assert f"refund:{deposit.pk}" not in view.may
    assert build_view(asked, at=NOW, is_owner=False).deposits[0].choice is None


def test_a_worker_carries_it_out_once() -> None:
    order, deposit = waiting()
    choice = ask(order, deposit)
    assert carry_out_choices(chain="ethereum", at=NOW) == 0
    assert (carry_all(), carry_all()) == (1, 0)

    assert not carry_out(choice_id=choice.pk, reference=order.reference, deposit_id=deposit.pk, at=NOW)
    payout = Payout.objects.get()
    deposit.refresh_from_db()
    choice.refresh_from_db()
    assert (payout.address, deposit.disposition, choice.outcome) == (LTC_ADDRESS, REFUND, "done")
    assert (reload(order).state, reload(order).refund_address) == (states.REFUNDING, LTC_ADDRESS)
    reasons = list(order.transitions.order_by("seq").values_list("reason", flat=True))
    assert reasons[-2:] == ["refund_asked", "refund_ordered"]


def test_one_open_choice_per_payment_whichever_output_is_named() -> None:
    order = open_one()
    outputs = [follow(pay(order, 10**7, txid="cd" * 32, position="0")), pay(order, 10**7, txid="ef" * 32)]
    follow(outputs[1])
    first = ask(order, outputs[0])
    assert ask(order, outputs[0]).pk == first.pk
    with pytest.raises(DomainError) as refusal:
        ask(order, outputs[0], OTHER)
    assert refusal.value.code == "refund_asked_already"
    ask(order, outputs[1], OTHER)
    with pytest.raises(IntegrityError), transaction.atomic():
        Choice.objects.create(
            order=order, deposit=outputs[0], kind="refund", address=OTHER, actor="customer", asked_at=NOW
        )
    assert carry_all() == 2
    assert set(Payout.objects.values_list("address", flat=True)) == {LTC_ADDRESS, OTHER}


def test_an_address_that_the_order_has_already_is_where_it_goes() -> None:
    order = open_one(refund_address=LTC_ADDRESS)
    deposit = follow(pay(order, order.send_minor // 2))
    with pytest.raises(DomainError) as refusal:
        ask(order, deposit, OTHER)
    assert refusal.value.code == "refund_address_set"
    assert ask(order, deposit).address == LTC_ADDRESS


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"address_repeated": OTHER}, "addresses_differ"),
        ({"address": ETH_ADDRESS, "address_repeated": ETH_ADDRESS}, "address_other_network"),
        ({"deposit_id": 0}, "refund_not_possible"),
        ({"order_reference": "O" + "0" * 16}, "refund_not_possible"),
    ],
)
def test_what_reading_can_refuse_is_refused_at_once(changes: dict[str, Any], code: str) -> None:
    order, deposit = waiting()
    with pytest.raises(DomainError) as refusal:
        ask(order, deposit, **changes)
    assert refusal.value.code == code
    assert not Choice.objects.exists()


def test_a_refusal_of_the_worker_is_shown_and_it_can_be_asked_for_again() -> None:
    order = open_one()
    deposit = follow(pay(order, 60_000))
    ask(order, deposit)
    ChainState.objects.update(fee_rate_minor=2_000)  # fees rise before the worker comes to it

    assert carry_all() == 0

    view = build_view(reload(order), at=NOW, is_owner=True)
    (shown,) = view.deposits
    assert shown.choice is not None
    assert not shown.choice.open
    assert "does not cover the network fee" in shown.choice.refusal
    assert (view.next_actor, view.deadline) == (states.CUSTOMER, deposit.deadline)
    assert f"refund:{deposit.pk}" in view.may
    assert order.transitions.order_by("-seq")[0].reason == "refund_refused"
    ChainState.objects.update(fee_rate_minor=10)
    ask(order, deposit)
    assert carry_all() == 1


def test_a_refund_that_our_coins_do_not_cover_waits_with_the_operator_and_goes_by_itself() -> None:
    order, deposit = waiting()
    spendable = get_floor_balance(kind="chain:spendable", asset=order.send_asset)
    with transaction.atomic():
        post_entry(reserve_entry(purpose="elsewhere", amount=spendable, at=NOW))
    choice = ask(order, deposit)

    assert (carry_all(), carry_all()) == (0, 0)

    choice.refresh_from_db()
    assert (choice.done_at, choice.problem) == (None, "liquidity_short")
    held = reload(order)
    assert (held.next_actor, held.deadline) == (states.OPERATOR, NOW + timedelta(hours=6))
    assert order.transitions.filter(reason="waiting_liquidity").count() == 1
    with transaction.atomic():
        post_entry(release_entry(purpose="elsewhere", reserved=spendable, at=NOW))
    assert carry_all() == 1
    assert reload(order).state == states.REFUNDING


def test_dust_is_one_line_and_hides_nothing() -> None:
    order = open_one()
    for _ in range(120):
        follow(pay(order, 40_000))
    for _ in range(120):
        pay(order, 50_000, state="SEEN")
    deposit = follow(pay(order, order.send_minor // 2))

    view = build_view(reload(order), at=NOW, is_owner=True)

    assert view.deposits[0].id == deposit.pk
    assert f"refund:{deposit.pk}" in view.may
    assert len(view.deposits) == 100
    dust = view.deposits[1]
    assert (dust.disposition, dust.count, dust.amount.minor, dust.txid) == ("DUST", 120, 120 * 40_000, "")


def unsigned_for(hours: float) -> tuple[Order, Deposit, Payout]:
    """Return a paid order whose payout waits for a signature, that many hours after it was asked for."""
    order = open_one()
    deposit = follow(pay(order))
    assert request_order_payout(reference=order.reference, at=NOW)
    later = NOW + timedelta(hours=hours)
    escalate_overdue(at=later)
    offer_refunds(at=later)
    return order, deposit, Payout.objects.get()


@pytest.mark.parametrize(("seconds", "offered"), [(-1, False), (0, False), (1, True)])
def test_a_payout_that_nothing_signs_ends_in_a_free_refund(seconds: int, offered: bool) -> None:
    order, deposit, payout = unsigned_for(6 + seconds / 3600)
    assert (reload(order).next_actor == states.CUSTOMER) is offered
    if not offered:
        with pytest.raises(DomainError):
            ask(order, deposit)
        return
    ask(order, deposit)

    assert carry_all() == 1

    payout.refresh_from_db()
    refund = Payout.objects.exclude(pk=payout.pk).get()
    assert (payout.state, refund.amount_minor) == (wallet_states.REJECTED, deposit.amount_minor)
    assert reload(order).state == states.REFUNDING
    assert get_balance(kind="customer", asset=order.get_asset, owner=order.reference).minor == 0
    assert get_balance(kind="chain:reserved", asset=order.get_asset).minor == 0
    assert not find_imbalances()
    send(refund)
    assert (reload(order).state, reload(order).next_actor) == (states.REFUNDED, states.NOBODY)


def test_a_signature_closes_the_offer_and_a_refund_closes_the_payout() -> None:
    order, deposit, payout = unsigned_for(7)
    ask(order, deposit)
    send(payout, wallet_states.SIGNED)  # it comes first
    assert carry_all() == 0
    choice = Choice.objects.get()
    assert choice.outcome == "refund_not_possible"
    send(payout)
    assert (reload(order).state, Payout.objects.count()) == (states.COMPLETED, 1)


def test_a_free_refund_frees_the_coins_that_were_promised() -> None:
    order = open_one()
    deposit = follow(pay(order, state=SEEN, block_height=9, mined_at=NOW + timedelta(minutes=3)))
    promise = Promise.objects.get(order=order)
    assert (promise.funded, promise.lapses_at, promise.closed_at) == (True, None, None)
    held = get_balance(kind="chain:spendable", asset=order.get_asset)
    with transaction.atomic():
        post_entry(reserve_entry(purpose="elsewhere", amount=held, at=NOW))
    follow(confirm(deposit))
    assert not request_order_payout(reference=order.reference, at=NOW)
    offer_refunds(at=NOW + timedelta(hours=7))
    ask(order, deposit)

    assert carry_all() == 1

    assert reload(order).state == states.REFUNDING
    assert not Promise.objects.filter(closed_at=None).exists()
