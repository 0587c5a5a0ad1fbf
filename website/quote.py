"""What the exchange form asks while a person types: a price for an amount, and whether an address can be paid to."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core import clock
from core.errors import DomainError
from orders.offer import Limits, find_pair, get_offer
from orders.quotes import AmountRequired, Quote, price_amount, sign_quote
from wallets.addresses import check_customer_address, refuse_own_addresses
from website.wording import network_name

REFUSED = 422


def typed_amount(text: str) -> str:
    """Read an amount as people of this page's language type it: Russian writes the decimal point as a comma.

    Not in English, where 1,000 is a thousand: guessing there would turn it into one.
    """
    text = text.strip().replace("\N{NO-BREAK SPACE}", "").replace(" ", "")
    return text.replace(",", ".") if get_language() == "ru" and text.count(",") == 1 and "." not in text else text


@require_safe
@never_cache
def answer_quote(request: HttpRequest) -> JsonResponse:
    """Price `amount` on `side` ("send" or "get") of `pair`: both amounts, the breakdown as HTML, the quote's token.

    The amounts "min" and "max" stand for the bounds to send as they are now; they move with the price.
    """
    at = clock.now()
    side = "get" if request.GET.get("side") == "get" else "send"
    name = request.GET.get("pair", "")
    try:
        offer = get_offer(name, at=at)
        limits = offer.limits
        amount = _asked_amount(request.GET.get("amount", ""), limits)
        if not amount:
            raise AmountRequired
        quote = sign_quote(price_amount(offer, **{side: amount}, at=at))
    except DomainError as error:
        return refuse(error, field=error.field or side)
    return JsonResponse(
        {
            "token": quote.token,
            "send": quote.send.format(),
            "get": quote.get.format(),
            "min": limits.min_send.format(),
            "max": limits.max_send.format(),
            "expires_in_ms": max(int((quote.expires_at - at).total_seconds() * 1000), 0),
            "breakdown": render_to_string("website/parts/breakdown.html", breakdown(quote), request),
            "spoken": _("You send %(send)s and get %(get)s.") % {"send": quote.send, "get": quote.get},
        }
    )


def _asked_amount(text: str, limits: Limits) -> str:
    bounds = {"min": limits.min_send, "max": limits.max_send}
    return bounds[text].format() if text in bounds else typed_amount(text)


def breakdown(quote: Quote) -> dict[str, Any]:
    """Return what the template of a quote's breakdown shows."""
    return {"quote": quote, "pair": find_pair(quote.pair), "gross": quote.get + quote.fee + quote.network_fee}


@require_POST
def answer_address_check(request: HttpRequest) -> JsonResponse:
    """Say whether the address typed into `field` can be paid to. POST, so that addresses stay out of access logs."""
    field = "refund_address" if request.POST.get("field") == "refund_address" else "payout_address"
    try:
        pair = find_pair(request.POST.get("pair", ""))
        asset = pair.quote if field == "refund_address" else pair.base
        address = check_customer_address(chain=asset.network, text=request.POST.get("address", ""), field=field)
        refuse_own_addresses(chain_addresses={field: (asset.network, address)})
    except DomainError as error:
        return refuse(error, field=field)
    return JsonResponse(
        {"message": _("A valid address on the %(network)s.") % {"network": network_name(asset.network)}}
    )


def refuse(error: DomainError, *, field: str) -> JsonResponse:
    """Render an anticipated refusal: its code, its sentence in the page's language and the input at fault."""
    return JsonResponse({"code": error.code, "message": str(error), "field": field}, status=REFUSED)
