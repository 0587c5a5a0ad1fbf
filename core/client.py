"""Who is calling, as a network address that a caller cannot choose: for limits, never for identity."""

import hashlib
import hmac
import ipaddress
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest


def client_network(request: HttpRequest) -> str:
    """Return the caller's network: an IPv4 address, or the /64 of an IPv6 address; empty when there is none.

    X-Forwarded-For counts only as far as our own proxies wrote it: settings.TRUSTED_PROXIES entries from the right.
    """
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    hops.append(request.META.get("REMOTE_ADDR", ""))
    network = _network_of(hops[max(len(hops) - 1 - settings.TRUSTED_PROXIES, 0)])
    return str(request.META.get("REMOTE_ADDR", "")) if network is None else network


@lru_cache(maxsize=4096)
def _network_of(caller: str) -> str | None:
    try:
        address = ipaddress.ip_address(caller)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        # One subscriber usually holds a whole /64, so its single addresses do not tell callers apart.
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def client_ref(request: HttpRequest) -> str:
    """Return the caller's network as a keyed hash: enough to count by in stored rows, not enough to know anyone."""
    return hmac.new(settings.SECRET_KEY.encode(), client_network(request).encode(), hashlib.sha256).hexdigest()[:32]
