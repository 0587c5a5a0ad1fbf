"""The demo's proof: what was promised, what the chain paid and what the books say are one number, to the last unit."""

from core.money import Money
from demo.customers import Opened
from orders.books import BookedPayout, OrderBooks


def prove_swap(*, opened: Opened, books: OrderBooks, sent: Money, arrived: Money) -> list[str]:
    """Return every way in which a finished exchange is not what was promised, as sentences; empty is the proof.

    `sent` is what the customer paid, `arrived` what the node counts at the payout address.
    """
    problems = _differences(
        "the exchange",
        {
            "promised to the customer": opened.get.minor,
            "promised by the order": books.promised_get_minor,
            "credited": books.credited_get_minor,
            "paid on the chain": arrived.minor,
            **_booked(books.settlement),
        },
        books.get_asset,
    )
    problems += _taken_in(books, sent)
    if len(books.payouts) != 1:
        problems.append(f"one payout was expected, there are {len(books.payouts)}")
    return problems + _settled(books)


def prove_refund(*, promised: Money, books: OrderBooks, deposit_id: int, sent: Money, arrived: Money) -> list[str]:
    """Return every way in which a refund is not what the order's page promised; empty is the proof."""
    purpose = next((d.refund_purpose for d in books.deposits if d.id == deposit_id), "")
    problems = _differences(
        "the refund",
        {
            "promised on the page": promised.minor,
            "paid on the chain": arrived.minor,
            **_booked(books.payout(purpose)),
        },
        books.send_asset,
    )
    problems += _taken_in(books, sent)
    if books.settlement is not None:
        problems.append("the order was exchanged as well as refunded")
    return problems + _settled(books)


def _booked(payout: BookedPayout | None) -> dict[str, int | None]:
    if payout is None:
        return {"payout": None}
    return {"payout": payout.minor, "booked": payout.booked_minor}


def _taken_in(books: OrderBooks, sent: Money) -> list[str]:
    return _differences(
        "the deposit",
        {
            "sent by the customer": sent.minor,
            "seen on the chain": sum(deposit.minor for deposit in books.deposits),
            "booked": sum(deposit.booked_minor for deposit in books.deposits),
        },
        books.send_asset,
    )


def _settled(books: OrderBooks) -> list[str]:
    return [
        f"the books still hold {minor} smallest units of {asset} for the customer"
        for asset, minor in books.open_minor.items()
        if minor
    ]


def _differences(what: str, amounts: dict[str, int | None], asset: str) -> list[str]:
    if len(set(amounts.values())) == 1 and None not in amounts.values():
        return []
    said = ", ".join(f"{name} {'nothing' if minor is None else minor}" for name, minor in amounts.items())
    return [f"{what} differs: {said} (smallest units of {asset})"]
