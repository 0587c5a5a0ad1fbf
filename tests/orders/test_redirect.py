"""A payout that cannot reach its address goes elsewhere: once, audited, and never for a debt that was signed before."""

import json
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import transaction

from core.errors import DomainError
from core.money import Money
from ledger.balances import find_imbalances, get_balance
from ledger.post import Leg, NewEntry, post_entry
from orders import states
from orders.models import Order
from orders.open import open_order
from orders.payout import follow_payout, settle_purpose
from orders.quotes import make_quote
from orders.redirect import send_elsewhere
from orders.refund import follow_refund, refund_purpose
from tests.orders.conftest import NOW
from wallets import states as wallet_states
from wallets.models import Attempt, Payout
from wallets.payouts import reject_payout, request_payout
from wallets.sign import _leave_out_paid

FIRST = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
OTHER = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
LTC_ADDRESS = "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3"

pytestmark = pytest.mark.usefixtures("site")


@pytest.fixture(autouse=True)
def _journal(settings: LazySettings, tmp_path: Path) -> None:
    settings.PAYOUT_JOURNAL = str(tmp_path / "payouts.journal")


def paying(purpose: str = "", state: str = states.PAYING) -> tuple[Order, Payout]:
    """Return an order that is being paid, or refunded, and the intent that wallets hold of it."""
    quote = make_quote(pair="ETHLTC", send="2", at=NOW)
    order = open_order(quote=quote, payout_address=FIRST, at=NOW).order
    Order.objects.filter(pk=order.pk).update(state=state)
    amount, cap = Money(order.get_minor, order.get_asset), Money(order.fee_cap_minor, order.get_asset)
    with transaction.atomic():
        payout = request_payout(
            purpose=purpose or settle_purpose(order.reference),
            owner_ref=order.reference,
            address=FIRST,
            amount=amount,
            fee_cap=cap,
            funded_by=[],
            at=NOW,
        )
    return order, payout


def sign(payout: Payout, state: str, **also: object) -> None:
    """Let an intent be as if it had been signed, and come to `state`."""
    Attempt.objects.create(
        payout=payout,
        n=1,
        chain=payout.chain,
        txid=f"0x{payout.pk}",
        raw="00",
        fee_minor=1,
        rate_minor=1,
        signed_at=NOW,
    )
    Payout.objects.filter(pk=payout.pk).update(state=state, **also)


def reject(payout: Payout) -> None:
    with transaction.atomic():
        reject_payout(payout, problem="the node does not take it", at=NOW)


def redirect(order: Order, payout: Payout, address: str = OTHER, repeated: str | None = None) -> Payout:
    return send_elsewhere(
        order_reference=order.reference,
        payout_id=payout.pk,
        address=address,
        address_repeated=address if repeated is None else repeated,
        at=NOW,
        actor="operator",
    )


@pytest.mark.parametrize("rejected", [True, False])
def test_a_rejected_or_stuck_payout_goes_to_the_other_address(rejected: bool) -> None:
    order, payout = paying()
    if rejected:
        reject(payout)
        follow_payout(payout_id=payout.pk, reference=order.reference, at=NOW)

    new = redirect(order, payout)

    order.refresh_from_db()
    payout.refresh_from_db()
    assert (payout.state, payout.address, payout.news) == (wallet_states.REJECTED, FIRST, False)
    assert (new.state, new.address, new.amount_minor) == (wallet_states.REQUESTED, OTHER, payout.amount_minor)
    assert (order.state, order.payout_address, order.next_actor) == (states.PAYING, OTHER, states.MACHINE)
    last = order.transitions.order_by("seq").last()
    assert last is not None
    assert (last.actor, last.reason) == ("operator", "payout_redirected")
    assert get_balance(kind="chain:reserved", asset=order.get_asset).minor == new.reserved_minor
    assert not find_imbalances()


def test_what_takes_its_place_completes_the_order() -> None:
    order, payout = paying()
    new = redirect(order, payout)
    sign(new, wallet_states.CONFIRMED, news=True)

    follow_payout(payout_id=new.pk, reference=order.reference, at=NOW)

    order.refresh_from_db()
    assert order.state == states.COMPLETED


def test_a_failed_refund_goes_elsewhere_and_ends_refunded() -> None:
    order, payout = paying(refund_purpose(7), states.REFUND_FAILED)
    reject(payout)

    new = redirect(order, payout)

    order.refresh_from_db()
    assert (order.state, order.refund_address, order.payout_address) == (states.REFUNDING, OTHER, FIRST)
    sign(new, wallet_states.CONFIRMED)
    new.refresh_from_db()
    with transaction.atomic():
        follow_refund(order, new, at=NOW)
    assert order.state == states.REFUNDED


@pytest.mark.parametrize(
    "state",
    [wallet_states.SIGNED, wallet_states.BROADCAST, wallet_states.IN_DOUBT, wallet_states.CONFIRMED],
)
def test_whatever_was_signed_goes_nowhere_else(state: str) -> None:
    order, payout = paying()
    sign(payout, state)

    with pytest.raises(DomainError) as refusal:
        redirect(order, payout)

    assert refusal.value.code == "payout_not_redirectable"
    assert Payout.objects.count() == 1


def test_it_goes_elsewhere_once_and_again_only_from_its_new_place() -> None:
    order, payout = paying()
    new = redirect(order, payout)

    with pytest.raises(DomainError) as refusal:
        redirect(order, payout, "0x8617E340B3D01FA5F11F306F4090FD50E238070D")

    assert refusal.value.code == "payout_not_redirectable"
    third = redirect(order, new, FIRST)
    assert third.purpose == f"{settle_purpose(order.reference)}/3"
    assert Payout.objects.filter(state=wallet_states.REQUESTED).count() == 1


def test_a_debt_that_the_journal_knows_as_signed_stays_where_it_is(settings: LazySettings) -> None:
    """The database is an old backup: it says REQUESTED, and the coins have left."""
    order, payout = paying()
    line = {"at": NOW.isoformat(), "chain": "ethereum", "txid": "0x1", "payout": payout.purpose, "n": 1}
    Path(settings.PAYOUT_JOURNAL).write_text(json.dumps(line) + "\n", encoding="utf-8")

    with pytest.raises(DomainError, match="journal knows"):
        redirect(order, payout)


@pytest.mark.parametrize("paid_as", ["", "/2"])
def test_an_explained_debt_is_not_signed_under_another_number(settings: LazySettings, paid_as: str) -> None:
    order, payout = paying()
    if not paid_as:
        payout = redirect(order, payout)
    debt = settle_purpose(order.reference)
    line = {"at": "x", "chain": "ethereum", "txid": "0x1", "payout": debt + paid_as, "n": 1, "explained": "by hand"}
    Path(settings.PAYOUT_JOURNAL).write_text(json.dumps(line) + "\n", encoding="utf-8")

    assert not _leave_out_paid(Payout.objects.filter(state=wallet_states.REQUESTED)).exists()
    payout.refresh_from_db()
    assert payout.problem


@pytest.mark.parametrize(
    ("address", "repeated", "code"),
    [
        (OTHER, FIRST, "addresses_differ"),
        (LTC_ADDRESS, LTC_ADDRESS, "address_other_network"),
        (OTHER.swapcase().replace("0X", "0x"), None, "address_checksum"),
        (FIRST, None, "payout_not_redirectable"),
        ("", None, "address_invalid"),
    ],
)
def test_a_wrong_address_changes_nothing(address: str, repeated: str | None, code: str) -> None:
    order, payout = paying()

    with pytest.raises(DomainError) as refusal:
        redirect(order, payout, address, repeated)

    assert refusal.value.code == code
    payout.refresh_from_db()
    assert payout.state == wallet_states.REQUESTED


def test_coins_that_went_to_others_since_are_missed_in_words() -> None:
    order, payout = paying()
    reject(payout)
    spendable = get_balance(kind="chain:spendable", asset=order.get_asset)
    with transaction.atomic():
        post_entry(NewEntry("gone", "gone", NOW, (Leg("chain:spendable", -spendable), Leg("capital", spendable))))

    with pytest.raises(DomainError) as refusal:
        redirect(order, payout)

    assert refusal.value.code == "liquidity_short"
    order.refresh_from_db()
    assert order.payout_address == FIRST


def test_the_command_lists_what_is_stuck_and_sends_it_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    order, payout = paying()
    call_command("redirect")
    assert "no payout is stuck" in capsys.readouterr().out
    reject(payout)
    call_command("redirect")
    assert f"payout {payout.pk} " in capsys.readouterr().out

    call_command("redirect", order.reference, str(payout.pk), OTHER, OTHER)

    call_command("redirect")
    assert "no payout is stuck" in capsys.readouterr().out
    with pytest.raises(CommandError, match="payout_not_redirectable"):
        call_command("redirect", order.reference, str(payout.pk), OTHER, OTHER)
    with pytest.raises(CommandError, match="Usage"):
        call_command("redirect", order.reference, str(payout.pk), OTHER)
