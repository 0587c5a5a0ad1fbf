"""The front page: the exchange form with a price already on it, and the order that it opens.

Without scripts the form works in two presses: the first shows the price, the second accepts exactly that price.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core import clock
from core.client import client_ref
from core.errors import DomainError
from core.money import Money
from orders import policy
from orders.idempotency import IdempotencyRequest, hash_body
from orders.offer import Limits, Offer, find_pair, get_offer
from orders.open import Client, Opened, find_opened, open_order
from orders.quote_check import QuoteOutdated
from orders.quotes import (
    AmountRequired,
    Quote,
    QuoteExpired,
    QuoteInvalid,
    default_amount,
    price_amount,
    read_quote,
    sign_quote,
)
from ticker.catalogue import get_catalogue
from ticker.models import Pair
from wallets.chains.networks import find_network
from website.history import SPANS, read_history, read_span
from website.owner import remember_owner
from website.quote import REFUSED, breakdown, typed_amount

FALLBACK_PAIR = "ETHLTC"


@dataclass(slots=True)
class Form:
    """The exchange form as it is shown again: what was typed, the price on it, and what is wrong, by field."""

    pair: Pair
    send: str = ""
    get: str = ""
    payout_address: str = ""
    refund_address: str = ""
    quote: Quote | None = None
    limits: Limits | None = None
    errors: dict[str, str] = field(default_factory=dict)
    notice: str = ""

    def blame(self, error: DomainError) -> None:
        """Put a refusal next to the field at fault, or above the form."""
        known = {"send", "get", "payout_address", "refund_address"}
        self.errors[error.field if error.field in known else "form"] = str(error)


@require_safe
@never_cache
def show_home(request: HttpRequest) -> HttpResponse:
    """Show the form of the pair in the query with a price for a sensible amount."""
    at = clock.now()
    try:
        pair = find_pair(request.GET.get("pair", "") or _first_pair())
    except DomainError as error:
        raise Http404(str(error)) from error
    form = Form(pair=pair)
    try:
        offer = get_offer(pair.name, at=at)
        offer.require_open()
        form.limits = offer.limits
        form.send = _round_up(default_amount(offer.limits, offer.terms), offer.limits).format()
        _price(form, "send", offer, at)
    except DomainError as error:
        form.blame(error)
    return _render(request, form, at)


@require_POST
@never_cache
def create_order(request: HttpRequest) -> HttpResponse:
    """Open the order at the price that was shown, or show the form again with what is wrong or what has changed.

    Pressing twice opens one order: the quote's id is the idempotency key.
    """
    at = clock.now()
    try:
        pair = find_pair(request.POST.get("pair", ""))
    except DomainError as error:
        raise Http404(str(error)) from error
    form = Form(
        pair=pair,
        send=typed_amount(request.POST.get("send", "")),
        get=typed_amount(request.POST.get("get", "")),
        payout_address=request.POST.get("payout_address", "").strip(),
        refund_address=request.POST.get("refund_address", "").strip(),
    )
    try:
        quote = read_quote(token=request.POST.get("quote", ""), at=at)
    except QuoteExpired as error:
        opened = _find_opened(form, error.quote_id)
        if opened:
            return _go_to(request, opened)
        return _show_new_price(request, form, at, _("The price was renewed. Please check it and press once more."))
    except QuoteInvalid:
        return _show_new_price(request, form, at, _("This is the price. Please check it and press once more."))
    side = _changed_side(form, quote)
    if quote.pair != pair.name or side:
        message = _("The amount was changed. Please check the new price and press once more.")
        return _show_new_price(request, form, at, message, side=side)
    form.quote = quote
    if not form.payout_address:
        form.errors["payout_address"] = _("Enter the address that should receive your %(asset)s.") % {
            "asset": quote.get.asset.code
        }
        return _render(request, form, at, status=REFUSED)
    return _open(request, form, quote, at)


def _open(request: HttpRequest, form: Form, quote: Quote, at: datetime) -> HttpResponse:
    try:
        opened = open_order(
            quote=quote,
            payout_address=form.payout_address,
            refund_address=form.refund_address,
            client=Client(network=client_ref(request)),
            idempotency=_idempotency(form, quote.id),
            at=at,
        )
    except QuoteOutdated as error:
        return _show_new_price(request, form, at, str(error), side=quote.side)
    except DomainError as error:
        form.blame(error)
        return _render(request, form, at, status=REFUSED)
    return _go_to(request, opened)


def _idempotency(form: Form, quote_id: str) -> IdempotencyRequest:
    return IdempotencyRequest(
        scope="website", key=quote_id, body_hash=hash_body(f"{form.payout_address}\n{form.refund_address}")
    )


def _find_opened(form: Form, quote_id: str) -> Opened | None:
    """Return the order that this very form opened while its price held: pressing again must not offer a second one."""
    try:
        return find_opened(_idempotency(form, quote_id))
    except DomainError:
        return None  # another form took the price; the new price is shown


def _go_to(request: HttpRequest, opened: Opened) -> HttpResponse:
    response = HttpResponseRedirect(reverse("website:order", args=[opened.order.reference]))
    remember_owner(request, response, reference=opened.order.reference, token=opened.owner_token)
    return response


def _changed_side(form: Form, quote: Quote) -> str:
    """Return the side whose amount is not the quote's, or "": nobody gets a price other than the one on the page."""
    if not _same(form.send, quote.send):
        return "send"
    return "" if _same(form.get, quote.get) else "get"


def _same(typed: str, promised: Money) -> bool:
    try:
        return Money.parse(typed, promised.asset) == promised
    except DomainError:
        return False


def _show_new_price(request: HttpRequest, form: Form, at: datetime, notice: str, side: str = "") -> HttpResponse:
    if side not in ("send", "get"):
        side = "get" if request.POST.get("side") == "get" or not form.send else "send"
    form.notice = notice
    try:
        _price(form, side, get_offer(form.pair.name, at=at), at)
    except DomainError as error:
        form.notice = ""
        form.blame(error)
    return _render(request, form, at, status=REFUSED)


def _price(form: Form, side: str, offer: Offer, at: datetime) -> None:
    amount = form.get if side == "get" else form.send
    if not amount:
        raise AmountRequired
    form.limits = offer.limits
    quote = sign_quote(price_amount(offer, **{side: amount}, at=at))
    form.quote, form.send, form.get = quote, quote.send.format(), quote.get.format()


def _round_up(amount: Money, limits: Limits) -> Money:
    """Round up to one significant digit, as a person would type it, unless that would be too much."""
    unit = 10 ** (len(str(amount.minor)) - 1)
    return min(Money(-(-amount.minor // unit) * unit, amount.asset), max(limits.max_send, amount))


def _first_pair() -> str:
    pairs = get_catalogue().pairs
    enabled = [name for name, pair in pairs.items() if pair.enabled]
    return FALLBACK_PAIR if FALLBACK_PAIR in enabled or not enabled else enabled[0]


def _render(request: HttpRequest, form: Form, at: datetime, *, status: int = 200) -> HttpResponse:
    if form.limits is None and not form.errors:
        try:
            offer = get_offer(form.pair.name, at=at)
            form.limits = None if offer.pauses else offer.limits
        except DomainError as error:
            form.errors.setdefault("form", str(error))
    pairs = [pair for pair in get_catalogue().pairs.values() if pair.enabled]
    span = read_span(request)
    context: dict[str, Any] = {
        "form": form,
        "pairs": pairs,
        "opposite": next(
            (p for p in pairs if p.base_id == form.pair.quote_id and p.quote_id == form.pair.base_id), None
        ),
        "history": read_history(pair=form.pair, span=span, at=at),
        "span": span,
        "spans": list(SPANS),
        "at": at,
        "payment_minutes": policy.minutes(policy.PAYMENT_WINDOW),
        "confirm_minutes": policy.minutes(find_network(form.pair.quote.network).first_confirmation),
    }
    if form.quote:
        context |= breakdown(form.quote)
    return render(request, "website/home.html", context, status=status)
