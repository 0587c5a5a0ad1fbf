"""Quotes: a price for an amount, valid for a minute, carried by the customer as a signed token. Nothing is written.

A row appears only when an order consumes the quote (orders.open), once, after orders.quote_check has looked at it again.
"""

import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from django.conf import settings
from django.core import signing
from django.utils.translation import gettext_lazy as _

from core.assets import get_asset
from core.errors import DomainError
from core.money import Money
from orders import policy
from orders.offer import Limits, Offer, get_offer
from orders.pricing import Terms, price_get, price_send

_SALT = "orders.quote.v1"


class AmountRequired(DomainError):
    code = "amount_required"
    message = _("Enter the amount you send or the amount you want to get.")


class BothAmounts(DomainError):
    code = "both_amounts"
    message = _("Give one amount only: either what you send or what you get.")


class AmountBelowMinimum(DomainError):
    code = "amount_below_minimum"
    message = _("The smallest amount is %(minimum)s.")


class AmountAboveMaximum(DomainError):
    code = "amount_above_maximum"
    message = _("The largest amount is %(maximum)s at the moment.")


class QuoteInvalid(DomainError):
    code = "quote_invalid"
    message = _("This quote was not made by this site or was changed. Ask for a new one.")


class QuoteExpired(DomainError):
    code = "quote_expired"
    message = _("This quote has expired. Ask for a new one; the rate may have changed.")

    def __init__(self, quote_id: str) -> None:
        self.quote_id = quote_id  # an order that it opened in time can still be found by it
        super().__init__()


@dataclass(frozen=True, slots=True)
class Quote:
    """A promise for `expires_at - made_at`. `rate` is send asset per get asset before fees; fees are in the get asset."""

    id: str
    pair: str
    side: Literal["send", "get"]
    send: Money
    get: Money
    rate: Decimal
    fee: Money
    network_fee: Money
    fee_cap: Money  # of what the payout may cost us; no part of the price
    made_at: datetime
    expires_at: datetime
    rate_at: datetime
    type: str = "fixed"
    token: str = ""

    @property
    def price(self) -> Decimal:
        """What one unit of the get asset costs, fees included, for display."""
        return self.send.to_decimal() / self.get.to_decimal()


def make_quote(*, pair: str, send: str | None = None, get: str | None = None, at: datetime) -> Quote:
    """Price an amount from either side; one of `send` and `get` (decimal text in whole coins).

    Raises: PairUnknown, PairDisabled, AmountRequired, BothAmounts, AmountInvalid, AmountTooPrecise, AmountBelowMinimum,
    AmountAboveMaximum, PairPaused, LiquidityShort, ReservePromised, RateUnavailable.
    """
    if not send and not get:
        raise AmountRequired
    return sign_quote(price_amount(get_offer(pair, at=at), send=send, get=get, at=at))


def price_amount(offer: Offer, *, send: str | None = None, get: str | None = None, at: datetime) -> Quote:
    """Price an amount at an offer, unsigned (no token); without an amount, the default. No statement.

    For price displays, and for an order opened in the same breath. Raises: as make_quote, but AmountRequired.
    """
    if send and get:
        raise BothAmounts
    offer.require_open()
    terms, limits = offer.terms, offer.limits
    if get:
        amount = _on_step(Money.parse(get, terms.get_asset, field="get"))
        _check_bounds(amount, limits.min_get, limits.max_get, "get")
        priced, side = price_get(amount, terms), "get"
    else:
        typed = Money.parse(send, terms.send_asset, field="send") if send else default_amount(limits, terms)
        amount = _on_step(typed)
        _check_bounds(amount, limits.min_send, limits.max_send, "send")
        priced, side = price_send(amount, terms), "send"
    return Quote(
        id=str(uuid.uuid4()),
        pair=offer.pair.name,
        side="send" if side == "send" else "get",
        send=priced.send,
        get=priced.get,
        rate=terms.rate,
        fee=priced.fee,
        network_fee=terms.network_fee,
        fee_cap=terms.fee_cap,
        made_at=at,
        expires_at=at + policy.QUOTE_WINDOW,
        rate_at=terms.rate_at,
    )


def read_quote(*, token: str, at: datetime) -> Quote:
    """Return the quote inside a token that this site signed. Raises: QuoteInvalid, QuoteExpired."""
    try:
        facts = signing.loads(token, key=_key(), salt=_SALT, fallback_keys=[])
    except (signing.BadSignature, ValueError, TypeError):
        raise QuoteInvalid from None
    quote = _from_facts(facts, token)
    if at >= quote.expires_at or at < quote.made_at - timedelta(seconds=5):
        raise QuoteExpired(quote.id)
    return quote


def default_amount(limits: Limits, terms: Terms) -> Money:
    """Return the amount to send that a price is shown for when nobody typed one: ten times the minimum, if allowed."""
    wanted = min(limits.min_send.minor * 10, max(limits.max_send.minor, limits.min_send.minor))
    return Money(wanted // terms.send_asset.quote_step * terms.send_asset.quote_step, terms.send_asset)


def _on_step(amount: Money) -> Money:
    step = amount.asset.quote_step
    return Money(amount.minor // step * step, amount.asset)


def _check_bounds(amount: Money, least: Money, most: Money, field: str) -> None:
    if amount < least:
        raise AmountBelowMinimum(minimum=str(least), field=field)
    if amount > most:
        raise AmountAboveMaximum(maximum=str(most), field=field)


def sign_quote(quote: Quote) -> Quote:
    """Return the quote with the token that a customer carries; nothing is written."""
    facts = {
        "i": quote.id,
        "p": quote.pair,
        "d": quote.side,
        "s": [quote.send.asset.code, str(quote.send.minor)],
        "g": [quote.get.asset.code, str(quote.get.minor)],
        "r": str(quote.rate),
        "f": str(quote.fee.minor),
        "n": str(quote.network_fee.minor),
        "c": str(quote.fee_cap.minor),
        "m": _stamp(quote.made_at),
        "e": _stamp(quote.expires_at),
        "a": _stamp(quote.rate_at),
    }
    token = signing.dumps(facts, key=_key(), salt=_SALT, compress=True)
    return _from_facts(facts, token)


def _key() -> str:
    """Return the key that signs quotes and nothing else: QUOTE_KEY, or one made of SECRET_KEY for this purpose alone.

    Sessions and the admin site sign with SECRET_KEY itself: nothing that anybody makes them sign is a quote. QUOTE_KEY can
    be changed at any time, at the cost of the quotes of one minute.
    """
    if settings.QUOTE_KEY:
        return str(settings.QUOTE_KEY)
    return hmac.new(settings.SECRET_KEY.encode(), b"nexchange: what signs quotes", hashlib.sha256).hexdigest()


def _stamp(at: datetime) -> int:
    """Milliseconds since 1970, exactly."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _unstamp(stamp: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=stamp)


def _from_facts(facts: dict[str, Any], token: str) -> Quote:
    send_code, send_minor = facts["s"]
    get_code, get_minor = facts["g"]
    base = get_asset(get_code)
    return Quote(
        id=str(facts["i"]),
        pair=str(facts["p"]),
        side="send" if facts["d"] == "send" else "get",
        send=Money(int(send_minor), get_asset(send_code)),
        get=Money(int(get_minor), base),
        rate=Decimal(str(facts["r"])),
        fee=Money(int(str(facts["f"])), base),
        network_fee=Money(int(str(facts["n"])), base),
        fee_cap=Money(int(str(facts.get("c", facts["n"]))), base),  # a release earlier they were one
        made_at=_unstamp(int(str(facts["m"]))),
        expires_at=_unstamp(int(str(facts["e"]))),
        rate_at=_unstamp(int(str(facts["a"]))),
        token=token,
    )
