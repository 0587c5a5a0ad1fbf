"""What one transaction pays to an order is one payment; dust locks nothing; one refund, one fee."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ledger.balances import find_imbalances, get_balance
from orders import states
from orders.books import read_books
from orders.expire import escalate_overdue, expire_due_orders
from orders.models import Order, Promise
from orders.payout import follow_payout
from orders.promises import lapse_promises
from orders.reads import build_view
from orders.refund import DepositTooSmall, RefundNotPossible, ask_refund
from tests.orders.conftest import NOW
from tests.orders.rows import (
    CONFIRMED,
    LTC_ADDRESS,
    SEEN,
    bring_back,
    confirm,
    follow,
    open_one,
    pay,
    reload,
    remove,
    send,
)
from wallets import states as wallet_states
from wallets.models import ChainState, Deposit, Payout
from wallets.states import CREDIT, DUST, REFUND, WAITING

pytestmark = pytest.mark.usefixtures("site")


def pay_together(order: Order, *amounts: int, state: str = CONFIRMED, **fields: Any) -> list[Deposit]:
    """Write a transaction with an output for each amount, and let orders act on it."""
    outputs = [
        pay(order, minor, state=state, txid="ab" * 32, position=str(place), **fields)
        for place, minor in enumerate(amounts)
    ]
    for output in outputs:
        follow(output)
    return list(Deposit.objects.filter(pk__in=[output.pk for output in outputs]).order_by("pk"))


def refund(order: Order, deposit: Deposit) -> Payout:
    return ask_refund(
        order_reference=order.reference,
        deposit_id=deposit.pk,
        address=LTC_ADDRESS,
        address_repeated=LTC_ADDRESS,
        at=NOW,
        actor="customer",
    )


def confirm_refund(order: Order, payout: Payout) -> None:
    assert send(payout).owner_ref == order.reference


def read_to(at: Any) -> None:
    ChainState.objects.update(scan_started_at=at)


def test_two_halves_in_one_transaction_are_the_payment() -> None:
    order = open_one()
    first, second = pay_together(order, order.send_minor // 2, order.send_minor - order.send_minor // 2)

    done = reload(order)
    assert (first.disposition, second.disposition) == (CREDIT, CREDIT)
    assert (done.state, done.exception) == (states.EXCHANGING, states.NONE)
    assert (done.credited_send_minor, done.credited_get_minor) == (order.send_minor, order.get_minor)
    assert get_balance(kind="customer", asset=order.send_asset, owner=order.reference).minor == 0
    assert not find_imbalances()


@pytest.mark.parametrize("named", [0, 1, 2])
def test_a_wrong_amount_in_pieces_goes_back_in_one_piece_with_one_fee(named: int) -> None:
    order = open_one()
    outputs = pay_together(order, 30_000_000, 20_000_000, 3_000)
    assert {output.disposition for output in outputs} == {WAITING}

    payout = refund(order, outputs[named])

    fee = 50_003_000 - payout.amount_minor
    assert 0 < fee < 100_000
    assert payout.funded_by == [output.pk for output in outputs]
    with pytest.raises(RefundNotPossible):
        refund(order, outputs[0])
    assert Payout.objects.count() == 1
    assert {d.disposition for d in Deposit.objects.all()} == {REFUND}
    assert {d.refund_purpose for d in read_books(reload(order)).deposits} == {payout.purpose}
    confirm_refund(order, payout)
    assert reload(order).state == states.REFUNDED
    assert not find_imbalances()


@pytest.mark.parametrize(("outputs", "disposition"), [(1, DUST), (2, DUST), (16, DUST), (17, WAITING), (110, WAITING)])
def test_dust_is_the_sum_of_a_transaction(outputs: int, disposition: str) -> None:
    """3,000 litoshi each: sixteen of them are 48,000, seventeen more than the published 50,000."""
    order = open_one()
    paid = pay_together(order, *[3_000] * outputs)
    assert {output.disposition for output in paid} == {disposition}
    assert reload(order).state == (states.AWAITING_DEPOSIT if disposition == DUST else states.CONFIRMING)
    assert not Deposit.objects.filter(news=True).exists()
    assert not find_imbalances()


@pytest.mark.parametrize("state", [SEEN, CONFIRMED])
@pytest.mark.parametrize("txids", ["together", "apart"])
def test_dust_moves_no_order_and_holds_no_promise_past_its_deadline(state: str, txids: str) -> None:
    order = open_one()
    if txids == "together":
        pay_together(order, 3_000, 3_000, state=state)
    else:
        for _ in range(3):
            follow(pay(order, 3_000, state=state))
    assert reload(order).state == states.AWAITING_DEPOSIT
    assert Promise.objects.get(order=order).lapses_at == order.payment_deadline

    after = order.payment_deadline + timedelta(seconds=1)
    read_to(after)
    lapse_promises(at=after)
    expire_due_orders(at=after)

    assert Promise.objects.get(order=order).closed_at == after
    assert reload(order).state == states.EXPIRED


@pytest.mark.parametrize("state", [SEEN, CONFIRMED])
def test_dust_moves_no_refunded_order(state: str) -> None:
    order = open_one()
    deposit = follow(pay(order, order.send_minor // 2))
    confirm_refund(order, refund(order, deposit))
    pay_together(order, 3_000, 3_000, state=state)
    refunded = reload(order)
    assert (refunded.state, refunded.next_actor, refunded.deadline) == (states.REFUNDED, states.NOBODY, None)


def test_dust_beside_the_payment_neither_stops_nor_loses_it() -> None:
    order = open_one()
    follow(pay(order, 3_000))
    follow(pay(order, state=SEEN))
    follow(pay(order, 3_000))
    assert reload(order).state == states.CONFIRMING
    follow(pay(order))
    assert reload(order).state == states.EXCHANGING


@pytest.mark.parametrize("during", [states.REFUNDING, states.REFUNDED])
def test_a_full_payment_after_a_refund_was_asked_for_is_never_executed(during: str) -> None:
    order = open_one()
    payout = refund(order, follow(pay(order, order.send_minor // 2)))
    if during == states.REFUNDED:
        confirm_refund(order, payout)
    second = follow(pay(order, state=SEEN))
    assert reload(order).state == during
    if during == states.REFUNDING:
        confirm_refund(order, payout)
    second = follow(confirm(second))

    late = reload(order)
    assert (second.disposition, second.reason) == (WAITING, states.SECOND)
    assert (late.state, late.exception, late.priced_at) == (states.REFUNDED, states.SECOND, None)
    assert (late.next_actor, late.deadline) == (states.CUSTOMER, second.deadline)
    again = refund(order, second)
    assert reload(order).state == states.REFUNDING
    confirm_refund(order, again)
    assert (reload(order).state, reload(order).next_actor) == (states.REFUNDED, states.NOBODY)


EDGE = 50_000  # LTC's published dust
FEE_RATES = [(10, "quiet"), (2_000, "a storm")]


@pytest.mark.parametrize(("rate", "name"), FEE_RATES)
@pytest.mark.parametrize(("minor", "disposition"), [(EDGE - 1, DUST), (EDGE, DUST), (EDGE + 1, WAITING)])
def test_fees_of_the_moment_make_no_dust(minor: int, disposition: str, rate: int, name: str) -> None:
    ChainState.objects.update(fee_rate_minor=rate)
    assert follow(pay(open_one(), minor)).disposition == disposition


def test_what_cannot_pay_for_its_return_waits_until_fees_fall() -> None:
    order = open_one()
    ChainState.objects.update(fee_rate_minor=2_000)
    deposit = follow(pay(order, EDGE + 1))
    with pytest.raises(DepositTooSmall):
        refund(order, deposit)

    later = NOW
    for _ in range(3):  # its time runs out again and again: it is the operator's, with a deadline, and never dust
        later += timedelta(hours=73)
        escalate_overdue(at=later)
        deposit.refresh_from_db()
        assert (deposit.disposition, deposit.next_actor) == (WAITING, states.OPERATOR)
        assert deposit.deadline == later + timedelta(hours=72)
        assert (reload(order).state, reload(order).next_actor) == (states.CONFIRMING, states.OPERATOR)
        assert f"refund:{deposit.pk}" in build_view(reload(order), at=later, is_owner=True).may

    ChainState.objects.update(fee_rate_minor=10)
    assert refund(order, deposit).amount_minor > 0


def test_a_payment_taken_back_unconfirmed_lets_the_order_wait_again() -> None:
    order = open_one()
    deposit = follow(pay(order, state=SEEN))
    assert Promise.objects.get(order=order).funded
    Deposit.objects.filter(pk=deposit.pk).update(state=wallet_states.REMOVED, news=True)
    follow(deposit)
    assert reload(order).state == states.AWAITING_DEPOSIT
    promise = Promise.objects.get(order=order)
    assert (promise.funded, promise.lapses_at) == (False, order.payment_deadline)


def test_a_promise_that_a_late_block_funds_is_kept_and_dies_with_its_payment() -> None:
    order = open_one()
    last = order.payment_deadline - timedelta(seconds=1)
    deposit = follow(pay(order, state=SEEN, first_seen_at=last))
    until = last + timedelta(minutes=20)
    assert Promise.objects.get(order=order).lapses_at == until
    Deposit.objects.filter(pk=deposit.pk).update(mined_at=until, block_height=12)  # mined is no news
    after = until + timedelta(seconds=1)
    read_to(after)
    lapse_promises(at=after)
    promise = Promise.objects.get(order=order)
    assert (promise.funded, promise.lapses_at, promise.closed_at) == (True, None, None)

    Deposit.objects.filter(pk=deposit.pk).update(mined_at=None, block_height=None, news=True)  # that block is gone
    follow(deposit)
    lapse_promises(at=after)
    assert Promise.objects.get(order=order).closed_at == after
    assert reload(order).state == states.CONFIRMING  # the payment itself is still looked for


def test_coins_stay_promised_to_a_priced_order_that_waits_for_its_payout_address() -> None:
    order = open_one(payout_address="")
    follow(pay(order))  # confirmed when orders hear of it first
    assert (reload(order).state, reload(order).hold_reason) == (states.EXCHANGING, states.ADDRESS)

    after = order.payment_deadline + timedelta(seconds=1)
    read_to(after)
    lapse_promises(at=after)

    promise = Promise.objects.get(order=order)
    assert (promise.funded, promise.lapses_at, promise.closed_at) == (True, None, None)


def test_no_promise_lapses_while_the_chain_is_not_read() -> None:
    order = open_one()
    after = order.payment_deadline + timedelta(minutes=1)
    read_to(order.payment_deadline)
    assert lapse_promises(at=after) == 0
    ChainState.objects.update(problem="node: down", scan_started_at=after)
    assert lapse_promises(at=after) == 0
    ChainState.objects.update(problem="")
    assert lapse_promises(at=after) == 1


def test_the_operator_releases_a_promise_once(capsys: pytest.CaptureFixture[str]) -> None:
    order = open_one()
    call_command("release_promise")
    assert order.reference in capsys.readouterr().out
    call_command("release_promise", order.reference)
    assert Promise.objects.get(order=order).closed_at is not None
    last = order.transitions.order_by("-seq")[0]
    assert (last.actor, last.reason, last.to_state) == ("operator", "promise_released", states.AWAITING_DEPOSIT)
    with pytest.raises(CommandError, match="no_open_promise"):
        call_command("release_promise", order.reference)
    follow(pay(order))
    assert reload(order).state == states.EXCHANGING  # its payment still counts


def test_a_lost_deposit_stays_the_operators_through_payout_and_a_second_deposit() -> None:
    order = open_one()
    deposit = follow(pay(order))
    Order.objects.filter(pk=order.pk).update(state=states.SENT)
    remove(deposit)
    follow(deposit)
    payout = Payout.objects.create(
        purpose=f"order:{order.reference}:settle",
        chain="ethereum",
        asset=order.get_asset,
        owner_ref=order.reference,
        address=order.payout_address,
        amount_minor=1,
        fee_cap_minor=0,
        reserved_minor=1,
        state=wallet_states.CONFIRMED,
        requested_at=NOW,
        news=True,
    )
    follow_payout(payout_id=payout.pk, reference=order.reference, at=NOW)
    done = reload(order)
    assert (done.state, done.exception, done.next_actor) == (states.COMPLETED, states.REORG, states.OPERATOR)
    follow(pay(order))
    assert (reload(order).exception, reload(order).next_actor) == (states.REORG, states.OPERATOR)
    bring_back(deposit)
    follow(deposit)
    assert (reload(order).exception, reload(order).next_actor) == (states.SECOND, states.CUSTOMER)
