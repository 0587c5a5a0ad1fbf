"""Places an order on a served site as a customer would, pays it with the demo's wallet, and follows it to its end.

    python3 order.py https://localhost:8443 [--ca FILE] [--pair ETHLTC] [--amount 1] [--seconds 300]

Speaks HTTP alone (standard library only): the site may be in a container or on another machine. Exits with 1 and the
reason when the order does not complete.
"""

import argparse
import http.cookiejar
import json
import re
import secrets
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

POLL_S = 2
GIVEN_UP = ("expired", "refunded", "refund_failed", "refunding")
AWAY = (urllib.error.URLError, ConnectionError, TimeoutError)


class OrderFailed(Exception):
    """The site did not do what a customer may expect; says what was asked and what came back."""


class Site:
    """A browser's worth of HTTP: cookies, a certificate authority of our own, and the answer of every request."""

    def __init__(self, address: str, ca: str | None) -> None:
        self.address = address.rstrip("/")
        context = ssl.create_default_context(cafile=ca)
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), cookies)

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> str:
        """Return the text of an answer; redirects are followed. Raises: OrderFailed."""
        headers = {"Referer": self.address + path, **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = urllib.request.Request(self.address + path, data=body, headers=headers)  # noqa: S310 -- http(s) only
        try:
            with self._opener.open(request, timeout=30) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as refusal:
            said = refusal.read().decode("utf-8", "replace")
            raise OrderFailed(f"{path} answered {refusal.code}: {_text(said)}") from refusal
        except AWAY as failure:
            raise OrderFailed(f"{path}: {failure}") from failure

    def read(self, path: str, **headers: str) -> dict[str, Any]:
        """Return the JSON object of an answer. Raises: OrderFailed."""
        answer: dict[str, Any] = json.loads(self.ask(path, **headers))
        return answer


def main() -> int:
    """Place, pay and follow one order; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site")
    parser.add_argument("--ca", help="file with the certificate authority to trust")
    parser.add_argument("--pair", default="ETHLTC", choices=["ETHLTC"], help="got and sent coin")
    parser.add_argument("--amount", default="1", help="what is sent, in the sent coin")
    parser.add_argument("--seconds", type=int, default=300, help="how long the whole order may take")
    args = parser.parse_args()
    try:
        swap(Site(args.site, args.ca), args.pair, args.amount, seconds=args.seconds)
    except OrderFailed as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    return 0


def swap(site: Site, pair: str, amount: str, *, seconds: int) -> str:
    """Take one order to its end and return its reference. Raises: OrderFailed."""
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"  {time.monotonic() - began:6.1f} s  {text}", flush=True)

    deadline = began + seconds
    _until(deadline, "a price and coins to pay out", lambda: _has_price(site, pair, amount))
    order = _open(site, pair, amount)
    reference, token = str(order["unique_reference"]), str(order["token"])
    tell(f"{reference}: promised {order['amount_base']} for {order['amount_quote']}")
    _pay(site, reference)
    tell("paid by the demo's wallet")
    seen = ""

    def ended() -> bool:
        nonlocal seen
        now = site.read(f"/en/api/v1/orders/{reference}/", Authorization=f"Bearer {token}")
        if now["state"] != seen:
            seen = str(now["state"])
            tell(seen.replace("_", " "))
        if seen in GIVEN_UP or now["exception"] not in ("", "none"):
            raise OrderFailed(f"{reference} is {seen}, {now['exception']}")
        return seen == "completed"

    _until(deadline, f"the end of {reference}", ended)
    return reference


def _has_price(site: Site, pair: str, amount: str) -> bool:
    query = urllib.parse.urlencode({"pair": pair, "side": "send", "amount": amount})
    try:
        return "token" in site.read(f"/en/quote/?{query}")
    except OrderFailed:
        return False  # no price yet, or the site is still starting: the deadline ends the waiting


def _open(site: Site, pair: str, amount: str) -> dict[str, Any]:
    wanted = {
        "pair": {"name": pair},
        "amount_quote": amount,
        "withdraw_address": {"address": "0x" + secrets.token_hex(20)},
    }
    body = json.dumps(wanted).encode()
    headers = {"Content_Type": "application/json", "Idempotency_Key": str(uuid.uuid4())}
    answer: dict[str, Any] = json.loads(site.ask("/en/api/v1/orders/", body, **headers))
    return answer


def _pay(site: Site, reference: str) -> None:
    page = site.ask(f"/en/order/{reference}/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    if token is None:
        raise OrderFailed(f"the page of {reference} has no button to pay with: is this a demo?")
    form = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], "how": "exact"}).encode()
    site.ask(f"/en/demo/pay/{reference}/", form)


def _until(deadline: float, what: str, happened: Callable[[], bool]) -> None:
    while not happened():
        if time.monotonic() > deadline:
            raise OrderFailed(f"waited in vain for {what}")
        time.sleep(POLL_S)


def _text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page)).strip()[:300]


if __name__ == "__main__":
    sys.exit(main())
