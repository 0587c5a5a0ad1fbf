"""Open an order: the quote is consumed, coins are promised, an address of its own is taken. One transaction."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.tokens import create_anonymous_owner, repeat_token
from core.errors import DomainError
from core.references import make_reference
from core.tokens import hash_token, make_token
from orders import policy, states
from orders.facts import Side
from orders.idempotency import IdempotencyInProgress, IdempotencyRequest, find_replay
from orders.models import IdempotencyKey, Order, Promise
from orders.offer import Offer, check_promise, find_pair, read_offer
from orders.quote_check import check_quote
from orders.quotes import Quote
from orders.reasons import Reason
from orders.transition import record
from wallets.addresses import check_customer_address, refuse_own_addresses, take_address


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
    3. Under the asset's promise lock: what is available must cover the payout and its fee cap.
    4. Address, order, promise, transition and key are written together.

    Raises: AddressInvalid and kin, AddressIsOurs, PairPaused, LiquidityShort, ReservePromised, TooManyOpenOrders,
    QuoteUsed, IdempotencyReused, IdempotencyInProgress, as check_quote, RateUnavailable.
    """
    client = client or Client()
    payout, refund = _check_addresses(quote, payout_address, refund_address)
    try:
        with transaction.atomic():
            replay = find_replay(idempotency) if idempotency else None
            if replay:
                return _reopen(replay.order)
            refuse_own_addresses(
                chain_addresses={
                    "payout_address": (quote.get.asset.network, payout),
                    "refund_address": (quote.send.asset.network, refund),
                }
            )
            return _write(quote, payout, refund, client, idempotency, at)
    except IntegrityError as error:
        if "quote_id" in str(error):
            raise QuoteUsed from error
        if "idempotency_key_unique" in str(error):
            raise IdempotencyInProgress from error
        raise


def find_opened(idempotency: IdempotencyRequest) -> Opened | None:
    """Return what an earlier request with this key opened, or None; for a repetition that can no longer be priced.

    Raises: IdempotencyReused, IdempotencyInProgress.
    """
    with transaction.atomic():
        replay = find_replay(idempotency)
        return _reopen(replay.order) if replay else None


def _check_addresses(quote: Quote, payout_address: str, refund_address: str) -> tuple[str, str]:
    payout = refund = ""
    if payout_address:
        payout = check_customer_address(chain=quote.get.asset.network, text=payout_address, field="payout_address")
    if refund_address:
        refund = check_customer_address(chain=quote.send.asset.network, text=refund_address, field="refund_address")
    return payout, refund


def _write(
    quote: Quote,
    payout: str,
    refund: str,
    client: Client,
    idempotency: IdempotencyRequest | None,
    at: datetime,
) -> Opened:
    offer, side = _read_offer(quote, client, at)
    if quote.token:  # a customer has carried it here; without a token it was priced in this very request
        check_quote(quote, offer.terms)
    check_promise(offer, side, get=quote.get, client_ref=client.network)
    reference, nonce = make_reference("O"), secrets.token_hex(16)
    owner_token = make_token("owner", reference, nonce)
    user, bearer = client.user, ""
    if user is None and client.anonymous_user:
        user, bearer = create_anonymous_owner(nonce=nonce, at=at)
    address = take_address(chain=quote.send.asset.network, owner_ref=reference, at=at)
    payment_deadline = at + policy.PAYMENT_WINDOW
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
    order.save(force_insert=True)
    Promise(
        order=order,
        asset=quote.get.asset,
        amount_minor=quote.get.minor + quote.fee_cap.minor,
        client_ref=client.network,
        lapses_at=payment_deadline,
    ).save(force_insert=True)
    record(order, source="", actor="customer", reason=Reason.OPENED, at=at)
    if idempotency:
        IdempotencyKey.objects.create(
            scope=idempotency.scope, key=idempotency.key, body_hash=idempotency.body_hash, order=order
        )
    return Opened(order=order, owner_token=owner_token, bearer=bearer, replayed=False)


def _read_offer(quote: Quote, client: Client, at: datetime) -> tuple[Offer, Side]:
    """Read afresh what is offered, and what this client holds of it, with the locks of what is promised held.

    Concurrent openings of one client, and of one asset, wait for each other. The locks are a statement of their own:
    whatever is read must begin after they are held, or it misses what the one before has just committed.
    """
    asset = quote.get.asset
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT pg_advisory_xact_lock(hashtextextended('promises-of:' || %s, 0)),
                   pg_advisory_xact_lock(hashtextextended('promise:' || %s, 0))
            """,
            [client.network or quote.id, asset.code],
        )
    return read_offer(find_pair(quote.pair), client_ref=client.network, at=at)


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
