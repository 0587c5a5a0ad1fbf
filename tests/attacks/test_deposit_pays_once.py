"""A stolen worker writes what became of a deposit: whatever it says, the facts let one payment go for it, and no more."""

import pytest
from django.db import connection, transaction

from core.money import Money
from ledger.post import post_entries
from orders.credit import follow_deposits
from orders.journal import refund_fee_entry
from orders.models import Order
from orders.payout import request_payouts
from orders.refund import refund_purpose
from tests.simulated import SimulatedExchange
from wallets import states
from wallets.models import Deposit, Payout
from wallets.payouts import request_payout


def pay(site: SimulatedExchange, order: Order, minor: int) -> Deposit:
    site.pay(order, minor)
    site.litecoin.mine(4)
    site.scan("litecoin")
    follow_deposits(chain="litecoin", at=site.now())
    return Deposit.objects.select_related("asset").get(owner_ref=order.reference)


def fault(payout: Payout) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT orders_payout_fault(%s)", [payout.pk])
        found: str | None = cursor.fetchone()[0]
    return found


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (states.REQUESTED, "funding_paid_by_another"),
        (states.SIGNED, "funding_paid_by_another"),
        (states.CONFIRMED, "funding_paid_by_another"),
        (states.REJECTED, None),
        (states.REVERTED, None),
    ],
)
def test_what_was_sent_back_is_not_exchanged_too(simulated: SimulatedExchange, state: str, said: str | None) -> None:
    """It was: called credited again once its refund was signed, a deposit paid for the exchange as well."""
    order = simulated.open().order
    deposit = pay(simulated, order, order.send_minor)
    assert request_payouts(asset="ETH", at=simulated.now()) == 1
    settles = Payout.objects.get(owner_ref=order.reference)
    assert fault(settles) is None

    with transaction.atomic():
        Payout.objects.create(
            purpose=refund_purpose(deposit.pk),
            chain="litecoin",
            asset_id="LTC",
            owner_ref=order.reference,
            address=simulated.litecoin.new_address(),
            amount_minor=1,
            fee_cap_minor=1,
            reserved_minor=2,
            funded_by=[deposit.pk],
            state=state,
            requested_at=simulated.now(),
        )
        found = fault(settles)
        transaction.set_rollback(True)  # the fixture looks at what is left
    assert found == said


@pytest.mark.parametrize(("fee", "said"), [(1, None), (0, None), (-1, "refund_fee")])
def test_no_more_than_the_deposit_is_sent_back(simulated: SimulatedExchange, fee: int, said: str | None) -> None:
    """The fee of a refund is an entry that a worker writes: a negative one sent the house's coins along."""
    back = simulated.litecoin.new_address()
    order = simulated.open(refund_address=back).order
    deposit = pay(simulated, order, order.send_minor // 2)
    with transaction.atomic():
        Deposit.objects.filter(pk=deposit.pk).update(disposition=states.REFUND)
        if fee:
            post_entries([refund_fee_entry(deposit, fee=Money(fee, deposit.asset), at=simulated.now())])
        payout = request_payout(
            purpose=refund_purpose(deposit.pk),
            owner_ref=order.reference,
            address=back,
            amount=Money(deposit.amount_minor - fee, deposit.asset),
            fee_cap=Money(1, deposit.asset),
            funded_by=[deposit.pk],
            at=simulated.now(),
        )
        found = fault(payout)
        transaction.set_rollback(True)
    assert found == said
