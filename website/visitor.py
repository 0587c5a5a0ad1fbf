"""Where a request comes from, as a keyed hash: enough to cap open promises per network, not enough to know anyone."""

import hashlib
import hmac
import ipaddress

from django.conf import settings
from django.http import HttpRequest

IPV6_PREFIX = 64  # one household or server; a single IPv6 address costs nothing to change


def network_of(request: HttpRequest) -> str:
    """Return the caller's network as 32 hex characters: the IPv4 address, or the /64 of an IPv6 address."""
    address = _address(request)
    if address.version == 6:  # noqa: PLR2004 -- the protocol's name
        address = ipaddress.ip_network((address, IPV6_PREFIX), strict=False).network_address
    return hmac.new(settings.SECRET_KEY.encode(), str(address).encode(), hashlib.sha256).hexdigest()[:32]


def _address(request: HttpRequest) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Trust only what our own proxies appended to X-Forwarded-For; without proxies the header is anyone's claim."""
    chain = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    proxies = settings.TRUSTED_PROXIES
    claimed = chain[-proxies] if proxies and len(chain) >= proxies else request.META.get("REMOTE_ADDR", "")
    try:
        return ipaddress.ip_address(claimed)
    except ValueError:
        return ipaddress.IPv4Address(0)  # a Unix socket has no address: all of it counts as one network
