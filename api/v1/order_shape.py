"""The Order of version 1, laid out from what orders.reads says of it; clients break on a missing key, so none is."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from api.v1.amounts import eight, exact_number, instant, number
from api.v1.pair import nested_shape
from core.models import Asset
from core.money import Money
from orders import states
from orders.reads import DepositView, OrderView, PayoutView
from orders.trouble import find_trouble
from ticker.catalogue import get_catalogue
from ticker.rates import RateUnavailable
from wallets import states as wallet_states

# Version 1 names the address of a transaction by number; within one order these are all there are.
_DEPOSIT_ADDRESS, _PAYOUT_ADDRESS, _REFUND_ADDRESS = 1, 2, 3
_VOID = (wallet_states.REJECTED, wallet_states.REVERTED)


def order_shape(view: OrderView, *, at: datetime) -> dict[str, Any]:
    """Return the Order with its details; what only the owner may see is null or empty for everyone else."""
    send, get = view.send, view.get
    return {
        "unique_reference": view.reference,
        "amount_base": eight(get),
        "amount_quote": eight(send),
        "is_default_rule": True,
        "from_default_rule": False,
        "pair": nested_shape(view.pair, base=get.asset, quote=send.asset),
        "deposit_address": _address("D", view.deposit_address, send.asset),
        "withdraw_address": _address("W", view.payout_address, get.asset),
        "refund_address": _address("R", view.refund_address, send.asset),
        "created_on": instant(view.created_at),
        "payment_window": (view.payment_deadline - view.created_at) // timedelta(minutes=1),
        "payment_deadline": instant(view.payment_deadline),
        "kyc_deadline": None,
        "status": view.status_code,
        "status_name": [[view.status_code, view.status_name]],
        "transactions": _transactions(view),
        "referral_code": [
            {"code": "", "created_on": instant(view.created_at), "modified_on": instant(view.created_at)}
        ],
        "withdrawal_fee": exact_number(view.network_fee),
        "withdrawal_fee_quote": number(_in_quote(view.network_fee, view.rate)),
        "user_provided_amount": 0 if view.order.side == "get" else 1,
        **_details(view, at),
        **_spoken(view),
    }


def _details(view: OrderView, at: datetime) -> dict[str, Any]:
    values = {code: _mid(view.get.asset.code, code, at) for code in ("USD", "BTC", "EUR")}
    worth = {
        f"amount_{code.lower()}": None if mid is None else number(view.get.to_decimal() * mid)
        for code, mid in values.items()
    }
    return worth | {
        "price": {
            "rate": number(view.rate),
            **{f"rate_{code.lower()}": None if mid is None else number(mid) for code, mid in values.items()},
        },
        "amount_quote_fee": number(_in_quote(view.fee, view.rate)),
        "payment_url": None,
        "display_refund_address": "set_refund_address" in view.may,
    }


def _spoken(view: OrderView) -> dict[str, Any]:
    """Return what version 1 did not have: the state in the exchange's own words, and who has to act until when."""
    return {
        "state": view.state.lower(),
        "exception": view.exception.lower(),
        "hold_reason": view.hold_reason.lower() or None,
        "next_actor": view.next_actor or None,
        "deadline": instant(view.deadline) if view.deadline else None,
        "waiting": _waiting(view),
    }


def _waiting(view: OrderView) -> dict[str, Any] | None:
    """Return what an order waits for that does not go on by itself, for its owner."""
    trouble = find_trouble(view) if view.is_owner else None
    if trouble is None:
        return None
    return {
        "for": trouble.what,
        "since": instant(trouble.since),
        "until": instant(trouble.until) if trouble.until else None,
        "then": trouble.then or None,
    }


def _in_quote(amount: Money, rate: Decimal) -> Decimal:
    return amount.to_decimal() * rate


def _mid(base: str, quote: str, at: datetime) -> Decimal | None:
    if base == quote:
        return Decimal(1)
    try:
        return get_catalogue().rate(base, quote, at).mid
    except RateUnavailable:
        return None  # not known is not zero


def _address(kind: str, address: str, asset: Asset) -> dict[str, Any] | None:
    if not address:
        return None
    return {
        "type": kind,
        "name": None,
        "address": address,
        "currency_code": asset.code,
        "destination_tag": None,
        "payment_id": None,
        "memo": None,
    }


def _transactions(view: OrderView) -> list[dict[str, Any]]:
    deposits = [_deposit(deposit) for deposit in view.deposits]
    payouts = [_payout(payout) for payout in view.payouts if payout.state not in _VOID]
    # Clients take the first D of a paid order and the first W of a sent one without looking whether it is there.
    if view.state in (states.CONFIRMING, states.EXCHANGING) and not deposits:
        deposits = [_row("D", view.send, address_to=_DEPOSIT_ADDRESS, since=view.created_at)]
    if view.state == states.SENT and not any(row["type"] == "W" for row in payouts):
        payouts.append(_row("W", view.get, address_to=_PAYOUT_ADDRESS, since=view.created_at))
    return deposits + payouts


def _deposit(deposit: DepositView) -> dict[str, Any]:
    confirmed = deposit.state == wallet_states.CONFIRMED
    return _row("D", deposit.amount, address_to=_DEPOSIT_ADDRESS, since=deposit.first_seen_at) | {
        "tx_id": deposit.txid or None,
        "confirmations": deposit.confirmations,
        "is_verified": confirmed,
        "is_completed": confirmed and deposit.disposition not in ("", wallet_states.WAITING),
        "time": instant(deposit.first_seen_at),
    }


def _payout(payout: PayoutView) -> dict[str, Any]:
    kind, address_to = ("W", _PAYOUT_ADDRESS) if payout.purpose == "settle" else ("R", _REFUND_ADDRESS)
    confirmed = payout.state == wallet_states.CONFIRMED
    return _row(kind, payout.amount, address_to=address_to, since=payout.requested_at) | {
        "tx_id": payout.txid or None,
        "confirmations": payout.confirmations,
        "is_verified": confirmed,
        "is_completed": confirmed,
    }


def _row(kind: str, amount: Money, *, address_to: int, since: datetime) -> dict[str, Any]:
    return {
        "created_on": instant(since),
        "modified_on": instant(since),
        "type": kind,
        "address_to": address_to,
        "tx_id": None,
        "confirmations": 0,
        "amount": eight(amount),
        "is_verified": False,
        "is_completed": False,
        "time": None,
        "currency": amount.asset.code,
    }
