"""What the books, the wallets' rows and the order itself say of one order, side by side: for audits and the demo's proof.

Reads only. Amounts are minor units: litoshi, wei.
"""

from dataclasses import dataclass
from datetime import datetime

from ledger.models import Posting
from orders.models import Order
from orders.payout import settle_purpose
from orders.refund import refund_purpose
from wallets.models import Deposit, Payout
from wallets.payouts import debt_of

CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class BookLine:
    """One posting on the order's own accounts: debit-positive, so what we pay out is positive."""

    entry: str
    reason: str
    asset: str
    minor: int


@dataclass(frozen=True, slots=True)
class BookedDeposit:
    """A deposit as its row says, what it was decided to be, the payout that would refund it, and what the books took in."""

    id: int
    txid: str
    minor: int
    state: str
    disposition: str
    refund_purpose: str
    booked_minor: int


@dataclass(frozen=True, slots=True)
class BookedPayout:
    """A payout as its row says, and what the books say was paid to close it; None while it is not closed."""

    purpose: str
    asset: str
    address: str
    minor: int
    fee_minor: int | None
    state: str
    txid: str
    booked_minor: int | None


@dataclass(frozen=True, slots=True)
class Step:
    """One recorded move of the order."""

    seq: int
    state: str
    exception: str
    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderBooks:
    """`open_minor`: what the books still owe the customer, by asset; all zero once everything is settled."""

    reference: str
    state: str
    exception: str
    send_asset: str
    get_asset: str
    promised_send_minor: int
    promised_get_minor: int
    credited_get_minor: int | None
    deposits: tuple[BookedDeposit, ...]
    payouts: tuple[BookedPayout, ...]
    lines: tuple[BookLine, ...]
    steps: tuple[Step, ...]

    @property
    def open_minor(self) -> dict[str, int]:
        """Sum the order's accounts by asset."""
        sums = {self.send_asset: 0, self.get_asset: 0}
        for line in self.lines:
            sums[line.asset] = sums.get(line.asset, 0) + line.minor
        return sums

    def payout(self, purpose: str) -> BookedPayout | None:
        """Return the payout of a debt; the last one, when a rejected one was sent elsewhere."""
        return next((payout for payout in reversed(self.payouts) if debt_of(payout.purpose) == purpose), None)

    @property
    def settlement(self) -> BookedPayout | None:
        """Return the payout of the exchange itself."""
        return self.payout(settle_purpose(self.reference))


def read_books(order: Order) -> OrderBooks:
    """Read everything written about an order: four statements."""
    reference = order.reference
    lines = _lines(reference)
    deposits = list(Deposit.objects.filter(owner_ref=reference).order_by("pk"))
    # What one transaction paid, and was decided alike, goes back together, under the number of its first output.
    first_of = {(d.txid, d.disposition): d.pk for d in reversed(deposits)}
    return OrderBooks(
        reference=reference,
        state=order.state,
        exception=order.exception,
        send_asset=order.send_asset_id,
        get_asset=order.get_asset_id,
        promised_send_minor=order.send_minor,
        promised_get_minor=order.get_minor,
        credited_get_minor=order.credited_get_minor,
        deposits=tuple(
            BookedDeposit(
                id=d.pk,
                txid=d.txid,
                minor=d.amount_minor,
                state=d.state,
                disposition=d.disposition,
                refund_purpose=refund_purpose(first_of[d.txid, d.disposition]),
                booked_minor=-sum(line.minor for line in lines if line.entry == f"deposit:{d.pk}"),
            )
            for d in deposits
        ),
        payouts=tuple(
            BookedPayout(
                purpose=p.purpose,
                asset=p.asset_id,
                address=p.address,
                minor=p.amount_minor,
                fee_minor=p.fee_minor,
                state=p.state,
                txid=p.txid,
                booked_minor=_booked(p, lines),
            )
            for p in Payout.objects.filter(owner_ref=reference).order_by("pk")
        ),
        lines=lines,
        steps=tuple(
            Step(t.seq, t.to_state, t.exception, t.actor, t.reason, t.at) for t in order.transitions.order_by("seq")
        ),
    )


def _lines(reference: str) -> tuple[BookLine, ...]:
    postings = Posting.objects.filter(account__kind=CUSTOMER, account__owner_ref=reference)
    rows = postings.select_related("entry", "account").order_by("pk")
    return tuple(BookLine(p.entry.reference, p.entry.reason, p.account.asset_id, p.amount_minor) for p in rows)


def _booked(payout: Payout, lines: tuple[BookLine, ...]) -> int | None:
    """Sum what closed a payout's reservation: a reorganisation takes that back, and it is closed anew under a number."""
    closed = f"close:{payout.purpose}"
    mine = [line.minor for line in lines if f"{line.entry.removeprefix('reverse:')}:".startswith(f"{closed}:")]
    return sum(mine) if mine else None
