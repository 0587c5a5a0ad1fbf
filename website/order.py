"""The order page: everything its owner may know, live; for anyone else a masked page."""

from datetime import datetime
from typing import Any

import segno
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core import clock
from orders import states
from orders.models import Order
from orders.offer import get_fees
from orders.reads import DepositView, OrderView, build_view, find_order
from orders.refund import can_be_sent
from orders.trouble import find_trouble
from wallets import states as wallet_states
from website.owner import read_owner_token
from website.wording import describe, received

# The parts of the page that change; the script replaces those whose HTML differs from what it has.
LIVE_PARTS = ("status", "pay", "refund", "payments", "details")


def get_order(reference: str) -> Order:
    """Return the order of a reference or answer 404; a guess learns nothing else. Raises: Http404."""
    order = find_order(reference)
    if order is None:
        raise Http404
    return order


@require_safe
@never_cache
def show_order(request: HttpRequest, reference: str) -> HttpResponse:
    """Show the page of an order."""
    order = get_order(reference)
    return render_order(request, order)


def render_order(
    request: HttpRequest, order: Order, *, errors: dict[str, str] | None = None, status: int = 200
) -> HttpResponse:
    """Show an order's page, after a refused form with its messages by form and field (`refund-7.address`)."""
    token = read_owner_token(request, order)
    context = _context(order, is_owner=bool(token), at=clock.now()) | {"errors": errors or {}, "typed": request.POST}
    if token:
        context["owner_link"] = request.build_absolute_uri(_page(order)) + "#" + token
    response = render(request, "website/order.html", context, status=status)
    response["Cache-Control"] = "no-store, private"
    return response


@require_safe
@never_cache
def answer_live(request: HttpRequest, reference: str) -> JsonResponse:
    """Answer the parts of the page that change, as HTML, and whether it is worth asking again."""
    order = get_order(reference)
    context = _context(order, is_owner=bool(read_owner_token(request, order)), at=clock.now())
    view: OrderView = context["order"]
    parts = {name: render_to_string(f"website/parts/order_{name}.html", context, request) for name in LIVE_PARTS}
    notice = context["notice"]
    return JsonResponse(
        {
            "state": view.state.lower(),
            "final": view.is_final,
            "now": context["at"].isoformat(),
            "spoken": f"{notice.title}. {notice.text}",
            "parts": parts,
        }
    )


@require_safe
@never_cache
def draw_qr(request: HttpRequest, reference: str) -> HttpResponse:
    """Draw the payment request (BIP-21 or EIP-681) as an SVG picture, here and not at a third party."""
    order = get_order(reference)
    if not read_owner_token(request, order):
        raise Http404
    uri = build_view(order, at=clock.now(), is_owner=True, with_transitions=False).payment_uri
    drawing = segno.make(uri, error="m", micro=False).svg_inline(scale=8, border=4, light="#fff", dark="#111")
    standalone = drawing.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return HttpResponse(standalone, content_type="image/svg+xml")


def _page(order: Order) -> str:
    return reverse("website:order", args=[order.reference])


def _context(order: Order, *, is_owner: bool, at: datetime) -> dict[str, Any]:
    view = build_view(order, at=at, is_owner=is_owner)
    return {
        "order": view,
        "notice": describe(view),
        "received": received(view),
        "gross": view.get + view.fee + view.network_fee,
        "at": at,
        "executed": view.credited_send is not None and view.credited_send.minor != view.send.minor,
        "payable": is_owner and view.state in (states.AWAITING_DEPOSIT, states.EXPIRED) and not view.deposits,
        "trouble": find_trouble(view),
        "asked": [d for d in view.deposits if d.choice and d.choice.open],
        "refunds": [_refund_choice(d, view) for d in view.deposits if f"refund:{d.id}" in view.may],
        "step_names": [_("Awaiting deposit"), _("Confirming"), _("Exchanging"), _("Sent")],
    }


def _refund_choice(deposit: DepositView, view: OrderView) -> dict[str, Any]:
    """What sending a deposit back gives: the deposit less the network fee of today; in full when the fault is ours."""
    fee = get_fees(view.send.asset).expected
    free = deposit.disposition == wallet_states.CREDIT
    if free:
        fee -= fee
    back = deposit.amount - fee
    return {
        "deposit": deposit,
        "fee": fee,
        "free": free,
        "back": back,
        "enough": can_be_sent(back),
        "form": f"refund-{deposit.id}",
    }
