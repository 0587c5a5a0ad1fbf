"""The orders that wait for somebody, with what can be done about each: four statements for a list of them. Reads only."""

from collections import defaultdict
from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q

from orders import states
from orders.models import Order
from orders.moves import Case, DepositFact, PayoutFact
from orders.payout import settle_purpose
from wallets.models import Attempt, Deposit, Payout
from wallets.paying.refusals import wants_approval
from wallets.payouts import debt_of, wait_for_approval


def list_orders(*, next_actor: str, limit: int = 200) -> list[Order]:
    """Return the orders whose next move is somebody's, the most urgent first: one statement.

    The operator's are also those whose payout a signer lets go only once a person approved it: the order itself still is
    the machine's, or its owner's to whom a refund was offered meanwhile.
    """
    theirs = Q(next_actor=next_actor)
    if next_actor == states.OPERATOR:
        theirs |= Q(Exists(wait_for_approval().filter(owner_ref=OuterRef("reference"))))
    return list(Order.objects.filter(theirs).order_by("deadline", "pk")[:limit])


def read_cases(orders: Sequence[Order]) -> list[Case]:
    """Read what stands around these orders: three statements."""
    references = [order.reference for order in orders]
    deposits: dict[str, list[DepositFact]] = defaultdict(list)
    for row in Deposit.objects.filter(owner_ref__in=references).exclude(disposition="DUST").order_by("pk")[:10_000]:
        deposits[row.owner_ref].append(DepositFact(row.pk, row.state, row.disposition))
    latest: dict[tuple[str, str], Payout] = {}
    for payout in Payout.objects.filter(owner_ref__in=references).order_by("pk"):
        latest[payout.owner_ref, debt_of(payout.purpose)] = payout
    signed = set(Attempt.objects.filter(payout__in=[p.pk for p in latest.values()]).values_list("payout_id", flat=True))
    payouts: dict[str, list[PayoutFact]] = defaultdict(list)
    for (reference, debt), payout in latest.items():
        payouts[reference].append(
            PayoutFact(
                payout.pk,
                payout.state,
                debt == settle_purpose(reference),
                signed=payout.pk in signed,
                approval=wants_approval(payout.problem),
            )
        )
    return [
        Case(
            reference=order.reference,
            state=order.state,
            exception=order.exception,
            hold=order.hold_reason,
            next_actor=order.next_actor,
            address=bool(order.payout_address),
            deposits=tuple(deposits[order.reference]),
            payouts=tuple(payouts[order.reference]),
        )
        for order in orders
    ]
