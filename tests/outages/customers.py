"""Customers of a site under an outage: they open orders over HTTP, pay them, and count what they got."""

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.http import HTTPClient, HTTPFailure
from tests.outages.site import READY_S, Play, Site, wait_until

PAIRS = {  # what is sent and what is got, and how much is sent
    "ETHLTC": ("litecoin", "ethereum", "1"),
    "LTCETH": ("ethereum", "litecoin", "0.03"),
}
SCALE = {"litecoin": 8, "ethereum": 18}
NO_ANSWER = "no_answer"
PATIENCE_S = 3  # a customer waits no longer for an answer
API = "/en/api/v1"
CREATED = 201
ADDRESSES = 1000  # of each chain: a few a row


@dataclass(frozen=True, slots=True)
class Order:
    """An order that the site took. Amounts in minor units."""

    pair: str
    reference: str
    token: str
    deposit_address: str
    payout_address: str
    send_minor: int
    get_minor: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a customer is told who gets no order: the code, and the sentence."""

    code: str
    words: str = ""


class Customers:
    """All customers of one site, and the orders that they have paid."""

    def __init__(self, site: Site) -> None:
        self.site, self.play = site, Play(site)
        wait_until(lambda: self.play.new_address("litecoin"), READY_S, "the miner makes the customers' wallet")
        # Made beforehand: a node may be what is away.
        self.addresses = {chain: [self.play.new_address(chain) for _ in range(ADDRESSES)] for chain in SCALE}
        self.paid: list[Order] = []

    def ask(self, pair: str) -> Order | Refusal:
        """Ask for an order; return it, or how the site refused."""
        sends, gets, amount = PAIRS[pair]
        address = self.addresses[gets].pop()
        body = {"pair": {"name": pair}, "amount_quote": amount, "withdraw_address": {"address": address}}
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        try:
            answer = _new_visit().ask("POST", f"{self.site.url}{API}/orders/", payload=body, headers=headers)
        except HTTPFailure:
            return Refusal(NO_ANSWER)
        said: dict[str, Any] = answer.json()
        if answer.status != CREATED:
            return Refusal(said["code"], said["detail"])
        return Order(
            pair=pair,
            reference=said["unique_reference"],
            token=said["token"],
            deposit_address=said["deposit_address"]["address"],
            payout_address=said["withdraw_address"]["address"],
            send_minor=int(Decimal(said["amount_quote"]).scaleb(SCALE[sends])),
            get_minor=int(Decimal(said["amount_base"]).scaleb(SCALE[gets])),
        )

    def causes(self) -> str:
        """Return what the operator is told of /health/: every cause of everything that is not sold; "" without an answer."""
        headers = {"Authorization": f"Bearer {self.site.token}"}
        try:
            said = _new_visit().ask("GET", f"{self.site.url}/health/", headers=headers).json()
        except HTTPFailure:
            return ""
        return " ".join(cause for causes in said.get("causes", {}).values() for cause in causes)

    def pay(self, order: Order) -> None:
        """Raises: ChainError, RPCError while the node of what is sent is away."""
        self.play.pay(PAIRS[order.pair][0], order.deposit_address, order.send_minor)
        self.paid.append(order)

    def state(self, order: Order) -> str:
        """Return the state of an order as its owner is told, and what keeps it; the code of an error instead.

        After the database was away each thread's old connection answers one request with an error.
        """
        headers = {"Authorization": f"Bearer {order.token}"}
        said = _new_visit().ask("GET", f"{self.site.url}{API}/orders/{order.reference}/", headers=headers).json()
        if "state" not in said:
            return str(said["code"])
        return " ".join([said["state"], said["exception"], said.get("hold_reason") or ""]).strip()

    def arrived(self, order: Order) -> list[int]:
        """List the payments that came to the order's payout address."""
        return self.play.payments(PAIRS[order.pair][1], order.payout_address)


def _new_visit() -> HTTPClient:
    return HTTPClient(timeout_s=(PATIENCE_S, PATIENCE_S))  # a kept connection may lead to what is stopped
