"""Open an order: the quote is consumed, coins are promised, an address of its own is taken. One statement writes it all.

The rules are judged here. The SQL function `orders_open` holds the locks, looks whether what was judged still bounds what
is there, and writes. Usually the facts of this second are judged as if several more such orders had been opened meanwhile,
so that nobody holds a lock while rules are worked out; near a limit, or when more has changed, facts are read and judged
again under the locks.
"""

import contextlib
import json
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, models, transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.tokens import make_anonymous_owner, repeat_token
from core.errors import DomainError
from core.references import make_reference
from core.tokens import hash_token, make_token
from orders import policy, states
from orders.facts import Side, get_facts
from orders.idempotency import IdempotencyInProgress, IdempotencyRequest, find_replay, lock_of
from orders.models import IdempotencyKey, Order, Promise
from orders.offer import Offer, check_promise, find_pair, offer_of, read_offer, room_of
from orders.quote_check import check_quote
from orders.quotes import Quote
from orders.reasons import Reason
from wallets.addresses import (
    Place,
    check_customer_address,
    deposit_address,
    give_place_back,
    refuse_own_addresses,
    take_place,
)

# So many more orders of the same size may be opened between the facts and the writing: what deep reserves allow, or a few.
MEANWHILE = (512, 8)


class QuoteUsed(DomainError):
    code = "quote_used"
    message = _("This quote has already been used for an order.")


@dataclass(frozen=True, slots=True)
class Opened:
    """`owner_token` opens this order; `bearer` is the new anonymous user's token, empty when none was made."""

    order: Order
    owner_token: str
    bearer: str
    replayed: bool


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: a user, or nobody (`anonymous_user` then says whether to make one); `network` caps open promises."""

    user: User | None = None
    network: str = ""
    anonymous_user: bool = False


@dataclass(frozen=True, slots=True)
class _Bounds:
    """For what the judgement holds: this much `free` and `whole` (free and unfunded) or more, of the rest this or less."""

    free: int
    whole: int
    promised: int
    unfunded: int
    client_minor: int
    client_count: int


@dataclass(frozen=True, slots=True)
class _Draft:
    """An order before it is written: what will be answered, its rows as the database takes them, whose promises are locked."""

    opened: Opened
    rows: dict[str, Any]
    locked_for: str


def open_order(
    *,
    quote: Quote,
    payout_address: str,
    at: datetime,
    refund_address: str = "",
    client: Client | None = None,
    idempotency: IdempotencyRequest | None = None,
) -> Opened:
    """Write an order for a quote that read_quote() accepted.

    1. A repeated idempotency key answers with the order it made, tokens included.
    2. Addresses are checked; `payout_address` may be empty, then the exchange will be held until it is set.
    3. What is available must cover the payout and its fee cap, also once the asset's promise lock is held.
    4. Address, order, promise, transition and key are written together.

    Raises: AddressInvalid and kin, AddressIsOurs, PairPaused, LiquidityShort, CeilingReached, ReservePromised,
    TooManyOpenOrders, QuoteUsed, IdempotencyReused, IdempotencyInProgress, as check_quote, RateUnavailable.
    """
    client = client or Client()
    payout, refund = _check_addresses(quote, payout_address, refund_address)
    replay = find_opened(idempotency) if idempotency else None
    if replay:
        return replay
    bounds = _judge_ahead(quote, client, at)
    chain, outcome = quote.send.asset.network, "moved"
    place = take_place(chain)
    try:
        draft = _draft(quote, (payout, refund), client, idempotency, place, at)
        if bounds:
            outcome = _write(draft, bounds)
        if outcome == "moved":
            outcome = _judge_and_write(draft, quote, client, at)
    except DomainError:
        give_place_back(chain, place)
        raise
    except IntegrityError as error:
        # Any other failure may have come after the commit: a place that has an address would fail every order from here on.
        if "quote_id" in str(error):
            give_place_back(chain, place)
            raise QuoteUsed from error
        raise
    if outcome != "opened":
        give_place_back(chain, place)
    if outcome == "in_progress":
        raise IdempotencyInProgress
    if outcome == "known" and idempotency:  # committed since we looked
        return find_opened(idempotency) or draft.opened
    return draft.opened


def find_opened(idempotency: IdempotencyRequest) -> Opened | None:
    """Return what an earlier request with this key opened, or None; also for a repetition that can no longer be priced.

    Raises: IdempotencyReused, IdempotencyInProgress.
    """
    replay = find_replay(idempotency)
    return _reopen(replay.order) if replay else None


def _check_addresses(quote: Quote, payout_address: str, refund_address: str) -> tuple[str, str]:
    payout = refund = ""
    if payout_address:
        payout = check_customer_address(chain=quote.get.asset.network, text=payout_address, field="payout_address")
    if refund_address:
        refund = check_customer_address(chain=quote.send.asset.network, text=refund_address, field="refund_address")
    return payout, refund


def _judge(quote: Quote, offer: Offer, side: Side, client: Client) -> None:
    if quote.token:  # a customer has carried it here; without a token it was priced in this very request
        check_quote(quote, offer.terms)
    check_promise(offer, side, get=quote.get, client_ref=client.network)


def _judge_ahead(quote: Quote, client: Client, at: datetime) -> _Bounds | None:
    """Judge by the facts of this second, as if more had been opened meanwhile; None where that would not be sold.

    What the rules allow at these bounds they allow within them: more coins and fewer promises never refuse an order.
    """
    facts, pair = get_facts(), find_pair(quote.pair)
    one, held = quote.get.minor + quote.fee_cap.minor, settings.PROMISES_PER_CLIENT - 1
    for meanwhile in MEANWHILE:
        with contextlib.suppress(
            DomainError
        ):  # it is read afresh then, under the locks; what is refused is refused there
            offer = offer_of(pair, facts, at=at)
            there, ahead = facts.sides[pair.base_id], meanwhile * one
            side = replace(
                there,
                free=there.free - 2 * ahead,  # once promised to others, once more for what was paid for meanwhile
                promised=there.promised + ahead,
                unfunded=there.unfunded + ahead,
                client_open=held * one,  # as many as it may have, of this size
                client_count=held,
            )
            _judge(quote, replace(offer, room=room_of(pair, side)), side, client)
            return _Bounds(
                free=side.free,
                whole=side.free + side.unfunded,
                promised=side.promised,
                unfunded=side.unfunded,
                client_minor=side.client_open,
                client_count=side.client_count,
            )
    return None


def _judge_and_write(draft: _Draft, quote: Quote, client: Client, at: datetime) -> str:
    """Read and judge with the locks held, so that concurrent openings of one client, and of one asset, wait for each other.

    The locks are a statement of their own: what is read must begin after they are held, or it misses what the one before
    has just committed.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT orders_lock_promises(%s, %s)", [draft.locked_for, quote.get.asset.code])
        offer, side = read_offer(find_pair(quote.pair), client_ref=client.network, at=at)
        _judge(quote, offer, side, client)
        return _write(draft, None)


def _draft(
    quote: Quote,
    addresses: tuple[str, str],
    client: Client,
    idempotency: IdempotencyRequest | None,
    place: Place,
    at: datetime,
) -> _Draft:
    reference, nonce = make_reference("O"), secrets.token_hex(16)
    owner_token = make_token("owner", reference, nonce)
    user, token, bearer = client.user, None, ""
    if user is None and client.anonymous_user:
        user, token, bearer = make_anonymous_owner(nonce=nonce, at=at)
    address = deposit_address(chain=quote.send.asset.network, place=place, owner_ref=reference, at=at)
    payment_deadline = at + policy.PAYMENT_WINDOW
    payout, refund = addresses
    order = Order(
        reference=reference,
        user=user,
        pair=quote.pair,
        send_asset=quote.send.asset,
        get_asset=quote.get.asset,
        quote_id=quote.id,
        side=quote.side,
        send_minor=quote.send.minor,
        get_minor=quote.get.minor,
        rate=quote.rate,
        fee_minor=quote.fee.minor,
        network_fee_minor=quote.network_fee.minor,
        fee_cap_minor=quote.fee_cap.minor,
        next_actor=states.CUSTOMER,
        deadline=payment_deadline,
        transition_count=1,
        created_at=at,
        payment_deadline=payment_deadline,
        deposit_address=address.address,
        payout_address=payout,
        refund_address=refund,
        owner_token_hash=hash_token(owner_token),
        nonce=nonce,
    )
    promise = Promise(
        asset=quote.get.asset,
        amount_minor=quote.get.minor + quote.fee_cap.minor,
        client_ref=client.network,
        lapses_at=payment_deadline,
    )
    rows: dict[str, Any] = {"order": _columns(order), "address": _columns(address), "promise": _columns(promise)}
    if user and token:
        rows |= {"user": _columns(user) | {"id": user.pk}, "token": _columns(token)}
    if idempotency:
        key = IdempotencyKey(scope=idempotency.scope, key=idempotency.key, body_hash=idempotency.body_hash)
        rows |= {"key": _columns(key), "key_lock": lock_of(idempotency)}
    opened = Opened(order=order, owner_token=owner_token, bearer=bearer, replayed=False)
    return _Draft(opened=opened, rows=rows, locked_for=client.network or quote.id)


def _columns(row: models.Model) -> dict[str, Any]:
    """Return what a row that is not written yet holds, by column, without its key and without NULLs."""
    fields = [field for field in row._meta.concrete_fields if not field.primary_key]  # noqa: SLF001 -- Django's public _meta
    values = {field.attname: getattr(row, field.attname) for field in fields}
    return {name: value for name, value in values.items() if value is not None}


def _write(draft: _Draft, bounds: _Bounds | None) -> str:
    """Write the rows of a draft, if what is there is within `bounds`; the outcome as `orders_open` says it. One statement.

    It is a transaction of its own, or a part of the caller's. A second one, when an address stands in our own table by a
    row that is not to be believed. Raises: AddressIsOurs.
    """
    asked = draft.rows | {"client": draft.locked_for, "reason": Reason.OPENED.value, "look_for_ours": True}
    if bounds:
        asked["bounds"] = asdict(bounds)
    outcome, pk = _call(asked)
    if outcome == "ours":
        order = draft.opened.order
        refuse_own_addresses(
            chain_addresses={
                "payout_address": (order.get_asset.network, order.payout_address),
                "refund_address": (order.send_asset.network, order.refund_address),
            }
        )
        outcome, pk = _call(asked | {"look_for_ours": False})
    if outcome == "opened":
        draft.opened.order.pk = pk
        draft.opened.order._state.adding = False  # noqa: SLF001 -- Django's public _state
    return outcome


def _call(asked: dict[str, Any]) -> tuple[str, int | None]:
    alone = contextlib.nullcontext() if not connection.in_atomic_block else transaction.atomic()
    with alone, connection.cursor() as cursor:
        cursor.execute("SELECT outcome, opened FROM orders_open(%s::jsonb)", [json.dumps(asked, default=str)])
        outcome, pk = cursor.fetchone()
    return str(outcome), pk


def _reopen(order: Order) -> Opened:
    bearer = ""
    if order.user_id and order.user and order.user.is_anonymous_owner:
        token = repeat_token(user_id=order.user_id, nonce=order.nonce)
        bearer = token if order.user.access_tokens.filter(token_hash=hash_token(token)).exists() else ""
    return Opened(
        order=order,
        owner_token=make_token("owner", order.reference, order.nonce),
        bearer=bearer,
        replayed=True,
    )
