"""Customers of a running site, seen from outside: one speaks to the API, one uses the pages as a browser does."""

import html
import re
import uuid
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from core.http import HTTPAnswer, HTTPClient, HTTPFailure
from core.models import Asset
from core.money import Money

OK, CREATED, FOUND = 200, 201, 302


class SiteRefused(Exception):
    """The site did not answer as a customer may expect; says what was asked and what came back."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a customer wants: `amount` is what they send or what they get, as `side` says."""

    pair: str
    send: Asset
    get: Asset
    side: Literal["send", "get"]
    amount: str
    payout_address: str


@dataclass(frozen=True, slots=True)
class Opened:
    """An order as it was promised to the customer who opened it."""

    reference: str
    deposit_address: str
    send: Money
    get: Money
    payout_address: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What the customer is told at one moment, in the exchange's own words, lower case."""

    state: str
    exception: str = ""
    hold_reason: str = ""

    def __str__(self) -> str:
        more = [word for word in (self.exception, self.hold_reason) if word not in ("", "none")]
        return self.state.replace("_", " ") + (f" ({', '.join(more)})" if more else "")


class Customer(Protocol):
    """Someone with an order to open and to watch. Each has a connection of their own."""

    def open(self, wanted: Wanted) -> Opened: ...

    def look(self, opened: Opened) -> Seen: ...


class _Visitor:
    def __init__(self, site: str) -> None:
        self.site = site.rstrip("/")
        self._http = HTTPClient(timeout_s=(3, 20))

    def ask(self, method: str, path: str, *, expect: int = OK, **options: Any) -> HTTPAnswer:
        """Ask for a path of the site. Raises: SiteRefused when the answer is another than expected, or none comes."""
        try:
            answer = self._http.ask(method, self.site + path, **options)
        except HTTPFailure as failure:
            raise SiteRefused(f"{method} {path}: {failure}") from failure
        if answer.status != expect:
            said = _text(answer.body)
            raise SiteRefused(f"{method} {path} answered {answer.status} instead of {expect}: {said}")
        return answer

    def has_answer(self, path: str, params: dict[str, str]) -> bool:
        """Say whether the site answers a question with anything but a refusal. Raises: SiteRefused when it is away."""
        try:
            return self._http.ask("GET", self.site + path, params=params).status == OK
        except HTTPFailure as failure:
            raise SiteRefused(f"GET {path}: {failure}") from failure


class APICustomer(_Visitor):
    """Opens orders through version 1 of the API, without an account, and keeps the bearer token it is given."""

    API = "/en/api/v1"

    def open(self, wanted: Wanted) -> Opened:
        """Open an order. Raises: SiteRefused."""
        body = {
            "pair": {"name": wanted.pair},
            "amount_quote" if wanted.side == "send" else "amount_base": wanted.amount,
            "withdraw_address": {"address": wanted.payout_address},
        }
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        order = self.ask("POST", f"{self.API}/orders/", expect=CREATED, payload=body, headers=headers).json()
        self._headers = {"Authorization": f"Bearer {order['token']}"}
        return Opened(
            reference=order["unique_reference"],
            deposit_address=order["deposit_address"]["address"],
            send=Money.parse(order["amount_quote"], wanted.send),
            get=Money.parse(order["amount_base"], wanted.get),
            payout_address=order["withdraw_address"]["address"],
        )

    def look(self, opened: Opened) -> Seen:
        """Read the order as its owner. Raises: SiteRefused."""
        order = self.ask("GET", f"{self.API}/orders/{opened.reference}/", headers=self._headers).json()
        return Seen(order["state"], order["exception"], order["hold_reason"] or "")


class PageCustomer(_Visitor):
    """Opens an order on the front page and acts on its page: cookies, hidden fields and CSRF tokens like a browser's."""

    def open(self, wanted: Wanted) -> Opened:
        """Ask for a price, then press the form's button. Raises: SiteRefused."""
        price = {"pair": wanted.pair, "side": wanted.side, "amount": wanted.amount}
        quote = self.ask("GET", "/en/quote/", params=price).json()
        form = {
            "csrfmiddlewaretoken": self._form_token("/en/", {"pair": wanted.pair}),
            "pair": wanted.pair,
            "side": wanted.side,
            "quote": quote["token"],
            "send": quote["send"],
            "get": quote["get"],
            "payout_address": wanted.payout_address,
            "refund_address": "",
        }
        path = self.ask("POST", "/en/order/", expect=FOUND, form=form).headers["Location"]
        page = self.ask("GET", path).body.decode()
        if (shown := _find(r'id="pay-amount">([^<]+)<', page, "the amount to pay")) != quote["send"]:
            raise SiteRefused(f"the order's page asks for {shown}, the price was for {quote['send']}")
        return Opened(
            reference=_find(r"/en/order/(\w+)/$", path, "the order's page"),
            deposit_address=_find(r'id="pay-address">([^<]+)<', page, "the deposit address"),
            send=Money.parse(quote["send"], wanted.send),
            get=Money.parse(quote["get"], wanted.get),
            payout_address=wanted.payout_address,
        )

    def look(self, opened: Opened) -> Seen:
        """Ask what the page's script asks. Raises: SiteRefused."""
        return Seen(self._live(opened)["state"])

    def find_refund(self, opened: Opened) -> tuple[int, Money] | None:
        """Return the deposit that the page offers to send back, and how much of it the page says will arrive."""
        offer = str(self._live(opened)["parts"]["refund"])
        action = re.search(r'action="/en/order/\w+/refund/(\d+)/"', offer)
        if action is None:
            return None
        amount = _find(r"<strong>([0-9.]+)\s", offer, "the amount of the refund")
        return int(action[1]), Money.parse(amount, opened.send.asset)

    def ask_refund(self, opened: Opened, *, deposit_id: int, address: str) -> None:
        """Press the button that sends a deposit back. Raises: SiteRefused."""
        form = {
            "csrfmiddlewaretoken": self._form_token(f"/en/order/{opened.reference}/"),
            "address": address,
            "address_repeated": address,
        }
        self.ask("POST", f"/en/order/{opened.reference}/refund/{deposit_id}/", expect=FOUND, form=form)

    def _form_token(self, path: str, params: dict[str, str] | None = None) -> str:
        page = self.ask("GET", path, params=params).body.decode()
        return _find(r'name="csrfmiddlewaretoken" value="([^"]+)"', page, "the form's CSRF token")

    def _live(self, opened: Opened) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask("GET", f"/en/order/{opened.reference}/live/").json()
        return answer


def _text(body: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body.decode("utf-8", "replace"))).strip()[:300]


def _find(pattern: str, text: str, what: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise SiteRefused(f"{what} is not where a customer would look for it")
    return html.unescape(found[1]).strip()
