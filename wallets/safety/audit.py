"""Rows that claim value must stand on something: payouts on deposits and a reservation, deposits on addresses and entries.

What one forged row cannot bring along is looked for: the entry in the books, the credited deposit, the derivation of the
address. The open rows are looked at each time, those that are over in turn, so the work is bounded whatever the history.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Model, QuerySet

from ledger.models import Posting
from wallets import states
from wallets.addresses import is_derived
from wallets.journal import find_unjournaled
from wallets.models import Address, Deposit, Payout
from wallets.payouts import debt_of

Row = TypeVar("Row", bound=Model)

STEP = 200  # rows that are over, looked at per turn
_COMES_TO = ("chain:spendable", "chain:unswept", "unidentified")
_SETTLE, _REFUND = ":settle", ":refund"


@dataclass(slots=True)
class Cursors:
    """Up to which row each walk over the whole history has come; 0 begins anew."""

    address: int = 0
    deposit: int = 0
    payout: int = 0


def find_forgeries(*, chain: str, cursors: Cursors) -> Iterator[str]:
    """Yield a sentence for every row that stands on nothing, and move the cursors on. Reads only, asks no node."""
    open_payouts = (states.REQUESTED, states.SIGNED, states.BROADCAST, states.IN_DOUBT)
    payouts = Payout.objects.filter(chain=chain)
    walked = _walk(payouts, cursors.payout)
    cursors.payout = walked[-1].pk if len(walked) == STEP else 0
    looked = {payout.pk: payout for payout in [*payouts.filter(state__in=open_payouts), *walked]}
    yield from _forged_payouts([payout for payout in looked.values() if payout.state != states.REJECTED])
    deposits = Deposit.objects.filter(chain=chain).select_related("address")
    walked_deposits = _walk(deposits, cursors.deposit)
    cursors.deposit = walked_deposits[-1].pk if len(walked_deposits) == STEP else 0
    undecided = deposits.filter(state=states.CONFIRMED, disposition="").order_by("-pk")[:STEP]
    yield from _forged_deposits({row.pk: row for row in [*undecided, *walked_deposits]}.values())
    yield from (f"attempt {txid} was sent and is not in the journal" for txid in find_unjournaled(chain=chain))


def _walk(rows: QuerySet[Row], cursor: int) -> list[Row]:
    return list(rows.filter(pk__gt=cursor).order_by("pk")[:STEP])


def _forged_payouts(payouts: list[Payout]) -> Iterator[str]:
    reserved = _booked([f"reserve:{payout.purpose}" for payout in payouts], kind="chain:reserved")
    funding = Deposit.objects.in_bulk({pk for payout in payouts for pk in payout.funded_by})
    for payout in payouts:
        if reserved.get(f"reserve:{payout.purpose}", 0) != payout.reserved_minor:
            yield f"payout {payout.purpose} is not reserved in the books"
        debt = debt_of(payout.purpose)
        wanted = {_SETTLE: states.CREDIT, _REFUND: states.REFUND}
        disposition = next((said for ending, said in wanted.items() if debt.endswith(ending)), "")
        if not disposition:
            continue  # another kind of payout has a rule of its own
        deposits = [funding.get(pk) for pk in payout.funded_by]
        if not deposits or not all(
            deposit is not None and deposit.owner_ref == payout.owner_ref and deposit.disposition == disposition
            for deposit in deposits
        ):
            yield f"payout {payout.purpose} has no deposit of its order that was decided so"


def _forged_deposits(deposits: Iterable[Deposit]) -> Iterator[str]:
    rows = list(deposits)
    confirmed = [row for row in rows if row.state == states.CONFIRMED or row.disposition]
    entries = {f"deposit:{row.pk}": row for row in confirmed}
    booked = _booked(list(entries), kind=None)
    yield from (
        f"deposit {row.pk} ({row.txid}) is not booked as it says"
        for reference, row in entries.items()
        if booked.get(reference, 0) != row.amount_minor
    )
    for address in {row.address_id: row.address for row in rows}.values():
        if not is_derived(address):
            yield not_derived(address)


def not_derived(address: Address) -> str:
    """Word what is wrong with the row of an address that is not ours; pure."""
    return f"address {address.address} is not derived from our key"


def _booked(references: list[str], *, kind: str | None) -> dict[str, int]:
    """Return by entry what it put on our side: the positive postings of `kind`, or of any account a deposit comes from.

    Those are the chain's, and what was unidentified until a person assigned it. One statement.
    """
    postings = Posting.objects.filter(entry__reference__in=references, amount_minor__gt=0)
    postings = postings.filter(account__kind=kind) if kind else postings.filter(account__kind__in=_COMES_TO)
    found: dict[str, int] = {}
    for reference, minor in postings.values_list("entry__reference", "amount_minor"):
        found[reference] = found.get(reference, 0) + int(minor)
    return found
