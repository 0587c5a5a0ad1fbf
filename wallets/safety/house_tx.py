"""What a transaction does to our own addresses: what left them, what came back, what went to others, and its fee."""

from dataclasses import dataclass

from wallets.chains.protocol import Movement, Tx
from wallets.models import Address, Coin, Deposit


@dataclass(frozen=True, slots=True)
class Moved:
    """In minor units: what `from_house` and `from_deposits` gave comes back, is `left` for others, or is the `fee`.

    `to_house_booked`: came to the house and was booked there as capital when it was confirmed; `change`: outputs to
    addresses of ours that no deposit row speaks of; `to_customers`: came to an order's address; `alone`: no input of
    anybody else's is in it.
    """

    from_house: int
    from_deposits: int
    to_house_booked: int
    to_house_unbooked: int
    left: int
    fee: int
    to_customers: int
    alone: bool
    change: tuple[tuple[Movement, Address], ...]


def weigh(*, chain: str, tx: Tx) -> Moved:
    """Weigh a mined transaction against our rows: four statements, no node call.

    On chains with outputs all of our coins count as the house's: the books call them spendable wherever they lie. On
    chains with accounts what a deposit address sends was unswept.
    """
    known = {m.address for m in tx.movements} | ({tx.sender} if tx.sender else set())
    ours = {row.address: row for row in Address.objects.filter(chain=chain, address__in=known)}
    received = [(m, ours[m.address]) for m in tx.movements if m.address in ours] if tx.ok else []
    total = sum(m.minor for m in tx.movements) if tx.ok else 0
    booked_rows = Deposit.objects.filter(chain=chain, txid=tx.txid).exclude(state="REMOVED")
    booked_positions = set(booked_rows.values_list("position", flat=True))
    booked = sum(m.minor for m, _ in received if m.position in booked_positions)
    unbooked = [(m, address) for m, address in received if m.position not in booked_positions]
    if tx.sender is not None:
        sender = ours.get(tx.sender)
        fee = (tx.fee_minor or 0) if sender else 0
        spent = total + fee if sender else 0
        from_deposits, alone = (spent if sender and sender.owner_ref else 0), True
        change: list[tuple[Movement, Address]] = []
    else:
        coins = Coin.objects.filter(chain=chain, txid__in={txid for txid, _ in tx.spends})
        mine = [coin for coin in coins if (coin.txid, coin.vout) in set(tx.spends)]
        spent, alone = sum(coin.amount_minor for coin in mine), len(mine) == len(tx.spends)
        fee = spent - total if spent else 0  # when all inputs are ours
        from_deposits, change = 0, unbooked
    back = sum(m.minor for m, _ in received)
    return Moved(
        from_house=spent - from_deposits,
        from_deposits=from_deposits,
        to_house_booked=booked,
        to_house_unbooked=back - booked,
        left=spent - fee - back if spent else 0,
        fee=fee,
        to_customers=sum(m.minor for m, address in received if address.owner_ref),
        alone=alone,
        change=tuple(change),
    )
