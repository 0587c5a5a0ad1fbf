"""Whatever state, exception, hold and fault meet: somebody can make a next move, and its command exists."""

import itertools
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command, get_commands
from django.db import transaction

from ledger.balances import find_imbalances, get_balance
from ledger.models import Entry
from ledger.post import post_entries
from orders import states
from orders.choices import ask_for_refund, carry_out_choices
from orders.lost import NotLost, write_off
from orders.models import Order
from orders.moves import Case, DepositFact, PayoutFact, next_moves
from orders.payout import request_order_payout
from orders.redirect import send_elsewhere
from orders.refund import ask_refund
from orders.standing import tell_health
from orders.turn import usual_turn
from tests.orders.conftest import NOW
from tests.orders.rows import ETH_ADDRESS, LTC_ADDRESS, bring_back, follow, open_one, pay, reload, remove, send
from wallets import states as wallet_states
from wallets.chains.fake import FakeChain
from wallets.deposits import reorg_entry
from wallets.models import Deposit, Payout
from wallets.payouts import PayoutNotRedirectable
from wallets.safety.house import HouseRefused, write_off_reorg
from wallets.states import DEPOSIT, PAYOUT, WAITING

# What may stand beside an order in each of its states: the dispositions of deposits, the debt that a payout pays.
PAID = {
    states.AWAITING_DEPOSIT: ("",),
    states.CONFIRMING: ("", WAITING),
    states.EXCHANGING: ("CREDIT",),
    states.PAYING: ("CREDIT",),
    states.SENT: ("CREDIT",),
    states.COMPLETED: ("CREDIT",),
    states.EXPIRED: ("",),
    states.REFUNDING: ("REFUND",),
    states.REFUND_FAILED: ("REFUND",),
    states.REFUNDED: ("REFUND",),
}
PAYS = {
    states.PAYING: True,
    states.SENT: True,
    states.COMPLETED: True,
    states.REFUNDING: False,
    states.REFUND_FAILED: False,
    states.REFUNDED: False,
}


def combinations() -> Iterator[Case]:
    """Yield every order that can be: its state, exception and hold, its own deposit, another one, and its payout."""
    for state, exception, hold in itertools.product(states.ORDER.states, states.EXCEPTIONS, states.HOLDS):
        if hold != states.NO_HOLD and state != states.EXCHANGING:
            continue
        payouts = [(PayoutFact(1, s, PAYS[state]),) for s in PAYOUT.states] if state in PAYS else [()]
        for disposition, own, extra, payout, actor in itertools.product(
            PAID[state], DEPOSIT.states, (None, *DEPOSIT.states), payouts, ("customer", "operator")
        ):
            decided = disposition != ""
            if decided and own != wallet_states.CONFIRMED and exception != states.REORG:
                continue  # that is what raises it
            if state == states.CONFIRMING and own == wallet_states.REMOVED and not decided and extra is None:
                continue
            others = () if extra is None else (DepositFact(2, extra, WAITING if extra != wallet_states.SEEN else ""),)
            if any(o.state == wallet_states.REMOVED for o in others) and exception != states.REORG:
                continue
            yield Case(
                reference="O1",
                state=state,
                exception=exception,
                hold=hold,
                next_actor=actor,
                address=hold != states.ADDRESS,
                deposits=(DepositFact(1, own, disposition), *others),
                payouts=payout,
            )


def is_over(case: Case) -> bool:
    """Say whether nothing is left to do: it rests, its payments are decided and there, ours are confirmed."""
    return (
        case.state in states.RESTING
        and all(d.state == wallet_states.CONFIRMED and d.disposition not in ("", WAITING) for d in case.deposits)
        and all(payout.state == wallet_states.CONFIRMED for payout in case.payouts)
    )


def test_every_combination_has_a_next_move() -> None:
    stuck, walked = [], 0
    for case in combinations():
        walked += 1
        if not next_moves(case) and not is_over(case):
            stuck.append(case)
    assert walked > 2_500
    assert stuck == []


def test_every_fault_has_a_move_that_a_person_can_make() -> None:
    """A lost deposit, a waiting one, a payment that failed: not the machine alone."""
    for case in combinations():
        lost = case.exception == states.REORG and any(
            d.state == wallet_states.REMOVED and d.disposition != "" for d in case.deposits
        )
        waiting = any(d.state == wallet_states.CONFIRMED and d.disposition == WAITING for d in case.deposits)
        failed = any(p.state in ("REJECTED", "REVERTED", "IN_DOUBT") for p in case.payouts)
        if lost or waiting or failed:
            assert {move.actor for move in next_moves(case)} & {"customer", "operator"}, case


def test_the_commands_of_the_moves_exist() -> None:
    known = get_commands()
    named = {
        move.how.split()[0].strip(",")
        for case in combinations()
        for move in next_moves(case)
        if move.actor == "operator"
    }
    assert named - {"fills"} == {"refund", "write_off", "redirect", "payout"}
    assert named - {"fills"} <= set(known)


@pytest.mark.parametrize(
    ("problem", "listed"),
    [
        ("ceiling: 5 is over the ceiling of a day, 4", True),
        ("above_price: 5 is more than its deposits are worth", True),
        ("coins_short: x", False),
        ("ceilings: x", False),
        ("", False),
    ],
)
def test_what_a_person_has_to_approve_is_in_the_operators_list(
    site: None, problem: str, listed: bool, settings: LazySettings, tmp_path: Path
) -> None:
    """Its order is the machine's turn, so nobody but `payout` told, while its owner was promised six hours."""
    settings.SIGNER_JOURNAL_DIR = str(tmp_path)
    order = open_one()
    follow(pay(order))
    assert request_order_payout(reference=order.reference, at=NOW)
    payout = Payout.objects.get()
    Payout.objects.update(problem=problem)
    out = StringIO()

    call_command("cases", stdout=out)

    move = f"operator: approve_payout {payout.pk} --because REASON"
    assert ((order.reference in out.getvalue()), (move in out.getvalue())) == (listed, listed)
    assert tell_health(True)["wait_for_approval"] == ([payout.pk] if listed else [])
    call_command("approve_payout", str(payout.pk), "--because", "the customer called", stdout=out)
    assert payout.address in out.getvalue()
    with pytest.raises(CommandError, match="there is no payout"):
        call_command("approve_payout", str(payout.pk + 1), "--because", "a slip of the fingers")
    send(payout)
    with pytest.raises(CommandError, match="CONFIRMED"):
        call_command("approve_payout", str(payout.pk), "--because", "too late")
    assert len((tmp_path / f"{payout.chain}.journal").read_text().split("\n\n")) == 1


@pytest.mark.parametrize("state", states.ORDER.states)
@pytest.mark.parametrize("hold", states.HOLDS)
def test_no_open_state_has_nobody_next(state: str, hold: str) -> None:
    turn = usual_turn(Order(state=state, hold_reason=hold, payment_deadline=NOW), state, NOW)
    assert (turn.actor == states.NOBODY) == (state in states.RESTING)
    assert (turn.until is None) == (state in states.RESTING)


# --- a deposit that is lost for good --------------------------------------------------------------------------------------


def lost_in(state: str) -> tuple[Order, Deposit]:
    """Return an order that lost its deposit to the chain while it was in `state`, unsigned."""
    order = open_one()
    short = state in (states.CONFIRMING, states.REFUNDING)
    deposit = follow(pay(order, order.send_minor // 2 if short else order.send_minor))
    if state == states.PAYING:
        assert request_order_payout(reference=order.reference, at=NOW)
    if state == states.REFUNDING:
        refund(order, deposit)
    assert reload(order).state == state
    remove(deposit)
    return order, follow(deposit)


def refund(order: Order, deposit: Deposit) -> Payout:
    return ask_refund(
        order_reference=order.reference,
        deposit_id=deposit.pk,
        address=LTC_ADDRESS,
        address_repeated=LTC_ADDRESS,
        at=NOW,
        actor="customer",
    )


def owed(order: Order) -> list[int]:
    assets = (order.send_asset, order.get_asset)
    return [get_balance(kind="customer", asset=asset, owner=order.reference).minor for asset in assets]


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("state", [states.CONFIRMING, states.EXCHANGING, states.PAYING, states.REFUNDING])
def test_a_deposit_lost_before_anything_was_signed_is_written_off(state: str) -> None:
    order, _deposit = lost_in(state)
    assert reload(order).next_actor == states.OPERATOR
    reserved = get_balance(kind="chain:reserved", asset=order.get_asset)

    call_command("write_off", order.reference, "--because", "its input was spent elsewhere")

    closed = reload(order)
    assert (closed.state, closed.exception, closed.next_actor) == (states.EXPIRED, states.NONE, states.NOBODY)
    assert owed(order) == [0, 0] or state == states.REFUNDING
    if state == states.REFUNDING:
        assert owed(order) == [0, 0]
    for asset in (order.send_asset, order.get_asset):
        assert get_balance(kind="chain:reserved", asset=asset).minor == 0
    assert reserved.minor > 0 or state != states.PAYING
    assert not Payout.objects.exclude(state=wallet_states.REJECTED).exists()
    assert not find_imbalances()
    with pytest.raises(CommandError, match="not_lost"):
        call_command("write_off", order.reference, "--because", "again")


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("state", [states.CONFIRMING, states.EXCHANGING, states.PAYING])
def test_one_that_was_written_off_and_comes_back_is_the_owners_again(state: str) -> None:
    order, deposit = lost_in(state)
    write_off(order_reference=order.reference, at=NOW, actor="operator", because="x")
    bring_back(deposit)
    deposit = follow(deposit)

    back = reload(order)
    assert (deposit.disposition, deposit.reason) == (WAITING, states.SECOND)
    assert (back.state, back.exception, back.next_actor) == (states.CONFIRMING, states.SECOND, states.CUSTOMER)
    assert owed(order) == [-deposit.amount_minor, 0]
    ask_for_refund(
        order_reference=order.reference,
        deposit_id=deposit.pk,
        address=LTC_ADDRESS,
        address_repeated=LTC_ADDRESS,
        at=NOW,
        actor="customer",
    )
    assert carry_out_choices(chain="litecoin", at=NOW) == 1
    assert not find_imbalances()


@pytest.mark.usefixtures("site")
def test_a_refund_that_was_written_off_is_asked_for_anew_when_its_deposit_comes_back() -> None:
    order, deposit = lost_in(states.REFUNDING)
    write_off(order_reference=order.reference, at=NOW, actor="operator", because="x")
    bring_back(deposit)
    follow(deposit)
    assert (reload(order).state, reload(order).next_actor) == (states.EXPIRED, states.OPERATOR)
    payout = Payout.objects.get()

    again = send_elsewhere(
        order_reference=order.reference,
        payout_id=payout.pk,
        address=LTC_ADDRESS,
        address_repeated=LTC_ADDRESS,
        at=NOW,
        actor="operator",
    )

    assert again.amount_minor == payout.amount_minor
    assert reload(order).next_actor == states.MACHINE
    send(again)
    assert reload(order).next_actor == states.NOBODY


@pytest.mark.usefixtures("site")
def test_an_exchange_that_was_written_off_is_paid_nowhere_else() -> None:
    order, _deposit = lost_in(states.PAYING)
    write_off(order_reference=order.reference, at=NOW, actor="operator", because="x")
    with pytest.raises(PayoutNotRedirectable, match="taken back"):
        send_elsewhere(
            order_reference=order.reference,
            payout_id=Payout.objects.get().pk,
            address=ETH_ADDRESS,
            address_repeated=ETH_ADDRESS,
            at=NOW,
            actor="operator",
        )
    assert get_balance(kind="chain:reserved", asset=order.get_asset).minor == 0


@pytest.mark.usefixtures("site")
def test_nothing_that_was_signed_is_written_off() -> None:
    order, _deposit = lost_in(states.PAYING)
    payout = Payout.objects.get()
    send(payout, wallet_states.SIGNED)
    with pytest.raises(NotLost):
        write_off(order_reference=order.reference, at=NOW, actor="operator", because="x")
    send(payout, wallet_states.BROADCAST)
    assert write_off(order_reference=order.reference, at=NOW, actor="operator", because="x")
    closed = reload(order)
    assert (closed.state, closed.exception, closed.next_actor) == (states.SENT, states.NONE, states.MACHINE)
    assert get_balance(kind="receivable:reorg", asset=order.send_asset).minor == 0  # booked by the scan, not here


@pytest.mark.usefixtures("site")
def test_a_deposit_lost_after_it_was_sent_back_is_the_houses_loss_and_a_closed_case() -> None:
    order, deposit = lost_in(states.REFUNDING)
    payout = Payout.objects.get()
    send(payout, wallet_states.BROADCAST)
    with pytest.raises(NotLost):  # it may not arrive
        write_off(order_reference=order.reference, at=NOW, actor="operator", because="x")
    send(payout)
    assert (reload(order).state, reload(order).next_actor) == (states.REFUNDED, states.OPERATOR)

    assert write_off(order_reference=order.reference, at=NOW, actor="operator", because="x") == [deposit.pk]

    closed = reload(order)
    assert (closed.state, closed.exception, closed.next_actor) == (states.REFUNDED, states.NONE, states.NOBODY)
    assert not Entry.objects.filter(reference__startswith="written-off:").exists()


@pytest.mark.usefixtures("site")
def test_a_second_deposit_that_waited_beside_a_paid_order_is_written_off_alone() -> None:
    order = open_one()
    follow(pay(order))
    second = follow(pay(order))
    assert request_order_payout(reference=order.reference, at=NOW)
    send(Payout.objects.get(), wallet_states.BROADCAST)
    send(Payout.objects.get())
    remove(second)
    follow(second)
    assert (reload(order).state, reload(order).next_actor) == (states.COMPLETED, states.OPERATOR)

    assert write_off(order_reference=order.reference, at=NOW, actor="operator", because="x") == [second.pk]

    closed = reload(order)
    assert (closed.state, closed.exception, closed.next_actor) == (states.COMPLETED, states.NONE, states.NOBODY)
    assert Entry.objects.get(reference__startswith="written-off:").reference == f"written-off:{second.pk}:1"
    bring_back(second)
    follow(second)
    assert (reload(order).exception, reload(order).next_actor) == (states.SECOND, states.CUSTOMER)
    assert not find_imbalances()


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("state", [wallet_states.REJECTED, wallet_states.REVERTED])
def test_a_refund_that_failed_is_nobody_elses_than_the_operators_and_goes_again(state: str) -> None:
    order = open_one()
    follow(pay(order))
    second = follow(pay(order))
    Order.objects.filter(pk=order.pk).update(state=states.COMPLETED, next_actor="customer")
    payout = refund(order, second)
    assert (reload(order).state, reload(order).next_actor) == (states.COMPLETED, states.MACHINE)
    send(payout, state)
    assert (reload(order).state, reload(order).next_actor) == (states.COMPLETED, states.OPERATOR)


@pytest.mark.usefixtures("site")
def test_the_operators_list_names_what_can_be_done(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("cases")
    assert "no order waits for the operator" in capsys.readouterr().out
    order, _deposit = lost_in(states.PAYING)
    call_command("cases")
    said = capsys.readouterr().out
    assert f"{order.reference}  PAYING  REORG  until" in said
    assert f"operator: write_off {order.reference} --because REASON" in said


@pytest.mark.usefixtures("site")
def test_what_its_order_wrote_off_the_house_does_not_bear_again() -> None:
    order, deposit = lost_in(states.EXCHANGING)
    with transaction.atomic():
        post_entries([reorg_entry(deposit, at=NOW)])
    write_off(order_reference=order.reference, at=NOW, actor="operator", because="x")
    assert get_balance(kind="receivable:reorg", asset=order.send_asset).minor == 0

    with pytest.raises(HouseRefused, match="wrote it off"):
        write_off_reorg(node=FakeChain("litecoin"), deposit_id=deposit.pk, at=NOW, post=True)
