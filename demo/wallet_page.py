"""The buttons of the demo's customer wallet on the order page."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from demo.wallet import HOW, WalletError, pay_order
from orders.reads import find_order


@require_POST
@never_cache
def pay(request: HttpRequest, reference: str) -> HttpResponse:
    """Pay an order from the demo's wallet, rightly or wrongly, and go back to its page.

    Anyone may pay an order, so no owner token is asked for; the coins are play money.
    """
    order = find_order(reference)
    if order is None or request.POST.get("how") not in HOW:
        raise Http404
    try:
        pay_order(order=order, how=request.POST["how"])
    except WalletError as error:
        return render(request, "demo/wallet_failed.html", {"reason": str(error), "reference": reference}, status=502)
    return HttpResponseRedirect(reverse("website:order", args=[order.reference]))
