"""Orders and deposits as rows, for tests of one step: what the chain did is written, not mined."""

import secrets
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from ledger.post import post_entries
from orders.credit import follow_deposit
from orders.models import Order
from orders.open import open_order
from orders.payout import follow_payout
from orders.quotes import make_quote
from tests.orders.conftest import NOW
from wallets import states as wallet_states
from wallets.deposits import deposit_entry
from wallets.models import Address, Attempt, Deposit, Payout

ETH_ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
LTC_ADDRESS = "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3"
SEEN, CONFIRMED = wallet_states.SEEN, wallet_states.CONFIRMED


def open_one(*, pair: str = "ETHLTC", send: str = "2", at: datetime = NOW, **options: Any) -> Order:
    """Open an order as a customer would, to an address of its chain unless another is given."""
    options.setdefault("payout_address", ETH_ADDRESS if pair == "ETHLTC" else LTC_ADDRESS)
    quote = make_quote(pair=pair, send=send, at=at)
    return open_order(quote=quote, at=at, **options).order


def reload(order: Order) -> Order:
    """Read the order again."""
    return Order.objects.select_related("send_asset", "get_asset").get(pk=order.pk)


def pay(order: Order, minor: int | None = None, *, state: str = CONFIRMED, **fields: Any) -> Deposit:
    """Write a deposit of the order as the scan would: seen now, or mined and confirmed, and booked then."""
    address = Address.objects.get(owner_ref=order.reference)
    seen_at = fields.pop("first_seen_at", NOW + timedelta(minutes=1))
    confirmed = state == CONFIRMED
    defaults: dict[str, Any] = {
        "chain": address.chain,
        "txid": secrets.token_hex(32),
        "position": "0",
        "asset": order.send_asset,
        "address": address,
        "owner_ref": order.reference,
        "amount_minor": order.send_minor if minor is None else minor,
        "state": state,
        "first_seen_at": seen_at,
        "mined_at": seen_at + timedelta(minutes=2) if confirmed else None,
        "confirmed_at": seen_at + timedelta(minutes=4) if confirmed else None,
        "block_height": 11 if confirmed else None,
    }
    deposit = Deposit.objects.create(**(defaults | fields))
    if confirmed:
        with transaction.atomic():
            post_entries([deposit_entry(deposit, at=NOW)])
    return deposit


def confirm(deposit: Deposit) -> Deposit:
    """Let the chain confirm a deposit that was seen, and the books take it in."""
    deposit.state, deposit.news, deposit.block_height = CONFIRMED, True, 11
    deposit.mined_at = deposit.first_seen_at + timedelta(minutes=2)
    deposit.confirmed_at = deposit.first_seen_at + timedelta(minutes=4)
    deposit.save()
    with transaction.atomic():
        post_entries([deposit_entry(deposit, at=NOW)])
    return deposit


def follow(deposit: Deposit, at: datetime = NOW) -> Deposit:
    """Let orders act on the deposit's news, and read it again."""
    follow_deposit(deposit_id=deposit.pk, reference=deposit.owner_ref, at=at)
    deposit.refresh_from_db()
    return deposit


def send(payout: Payout, state: str = wallet_states.CONFIRMED) -> Payout:
    """Let a payout have been signed and come to `state`, and orders act on it."""
    if not payout.attempts.exists():
        Attempt.objects.create(
            payout=payout,
            n=1,
            chain=payout.chain,
            txid=secrets.token_hex(32),
            raw="00",
            fee_minor=0,
            rate_minor=0,
            signed_at=NOW,
        )
    Payout.objects.filter(pk=payout.pk).update(state=state, news=True)
    follow_payout(payout_id=payout.pk, reference=payout.owner_ref, at=NOW)
    payout.refresh_from_db()
    return payout


def remove(deposit: Deposit) -> None:
    """A reorganisation takes the deposit off the chain."""
    Deposit.objects.filter(pk=deposit.pk).update(state=wallet_states.REMOVED, news=True, reorg_count=1)


def bring_back(deposit: Deposit) -> None:
    """And the chain confirms it again."""
    Deposit.objects.filter(pk=deposit.pk).update(state=CONFIRMED, news=True)
