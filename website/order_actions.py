"""What an owner can do on the order page: prove ownership, ask for a refund, give an address. Each form works alone."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from core import clock
from core.errors import DomainError
from orders.addresses import set_payout_address, set_refund_address
from orders.choices import ask_for_refund
from orders.models import Order
from orders.reads import owns
from website.order import get_order, render_order
from website.owner import read_owner_token, remember_owner
from website.quote import REFUSED

FORBIDDEN = 403


@require_POST
@never_cache
def claim(request: HttpRequest, reference: str) -> HttpResponse:
    """Exchange the owner token of a link for this page's cookie. Also takes the whole link, pasted."""
    order = get_order(reference)
    token = request.POST.get("token", "").strip().rpartition("#")[2]
    if not owns(order, owner_token=token):
        errors = {"claim.token": _("This link does not open this order. Copy it again, to its last character.")}
        return render_order(request, order, errors=errors, status=FORBIDDEN)
    response = _back(order)
    remember_owner(request, response, reference=order.reference, token=token)
    return response


@require_POST
@never_cache
def refund(request: HttpRequest, reference: str, deposit_id: int) -> HttpResponse:
    """Ask for a waiting deposit back, at an address typed twice; a worker sends it."""

    def act(order: Order) -> None:
        ask_for_refund(
            order_reference=order.reference,
            deposit_id=deposit_id,
            address=request.POST.get("address", ""),
            address_repeated=request.POST.get("address_repeated", ""),
            at=clock.now(),
            actor="customer",
        )

    return _as_owner(request, reference, f"refund-{deposit_id}", act)


@require_POST
@never_cache
def give_refund_address(request: HttpRequest, reference: str) -> HttpResponse:
    """Give the address that a refund would go to, once."""

    def act(order: Order) -> None:
        set_refund_address(
            order_reference=order.reference, address=request.POST.get("address", ""), at=clock.now(), actor="customer"
        )

    return _as_owner(request, reference, "refund-address", act)


@require_POST
@never_cache
def give_payout_address(request: HttpRequest, reference: str) -> HttpResponse:
    """Give a missing payout address, or another one while nothing was paid."""

    def act(order: Order) -> None:
        set_payout_address(
            order_reference=order.reference, address=request.POST.get("address", ""), at=clock.now(), actor="customer"
        )

    return _as_owner(request, reference, "payout-address", act)


def _as_owner(request: HttpRequest, reference: str, form: str, act: Callable[[Order], None]) -> HttpResponse:
    """Let the owner act, then show the page anew; a refusal is shown beside the form's field at fault."""
    order = get_order(reference)
    if not read_owner_token(request, order):
        errors = {"claim.token": _("Only the person who opened this order can do that. Open it by your own link.")}
        return render_order(request, order, errors=errors, status=FORBIDDEN)
    try:
        act(order)
    except DomainError as error:
        field = error.field if error.field in ("address", "address_repeated") else "form"
        return render_order(request, order, errors={f"{form}.{field}": str(error)}, status=REFUSED)
    return _back(order)


def _back(order: Order) -> HttpResponse:
    return HttpResponseRedirect(reverse("website:order", args=[order.reference]))
