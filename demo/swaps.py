"""What bin/demo plays: swaps both ways, an underpayment refunded, two swaps at once, each held against chain and books."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeVar

from core.assets import get_asset
from core.money import Money
from demo.customers import APICustomer, Customer, Opened, PageCustomer, Seen, Wanted
from demo.nodes import open_play
from demo.proof import prove_refund, prove_swap
from orders.books import OrderBooks, read_books
from orders.reads import find_order

PAIRS = {"ETHLTC": ("LTC", "ETH"), "LTCETH": ("ETH", "LTC")}  # what is sent, what is got
LIMIT_S = 240  # for anything one waits for: some blocks and a few rounds of the workers
POLL_S = 1
ENDS = ("completed", "expired", "refunded", "refund_failed")

Answer = TypeVar("Answer")


class DemoFailed(Exception):
    """The site did not do what it promises; says what, and of which order."""


@dataclass
class Played:
    """One customer with one order, from the promise on. `began` is when it was opened, for the times that are shown."""

    customer: Customer
    opened: Opened
    say: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    seen: Seen | None = None

    def tell(self, text: str) -> None:
        """Show one line of what happens to this order."""
        self.say(f"  {self.opened.reference}  {time.monotonic() - self.began:6.1f} s  {text}")

    def pay(self, amount: Money) -> None:
        """Send coins from the customer's wallet to the order's deposit address."""
        txid = _play(amount).send(self.opened.deposit_address, amount)
        self.tell(f"customer pays {amount}: {txid}")

    def look(self) -> Seen:
        """Ask the site how the order stands, and show it when that is news."""
        now = self.customer.look(self.opened)
        if now != self.seen:
            self.seen = now
            self.tell(str(now))
        return now

    def arrived(self) -> Money:
        """Ask the node what came to the payout address."""
        return Money(_play(self.opened.get).received(self.opened.payout_address), self.opened.get.asset)

    def books(self) -> OrderBooks:
        """Read what is written about the order."""
        order = find_order(self.opened.reference)
        if order is None:
            raise DemoFailed(f"{self.opened.reference}: the site opened it, the database does not know it")
        return read_books(order)


class Demo:
    """The scenarios against one site. Each returns when its orders are through and raises DemoFailed otherwise."""

    def __init__(self, *, site: str, say: Callable[[str], None]) -> None:
        self.site, self.say = site, say
        self.orders = 0

    def wait_until_open(self) -> None:
        """Wait until both pairs have a price and coins to pay out: a house that has just started is still counting."""
        for pair, (sends, _gets) in PAIRS.items():
            client = APICustomer(self.site)
            amount = {"LTC": "1", "ETH": "0.02"}[sends]
            price = {"pair": pair, "side": "send", "amount": amount}
            self._wait(f"a price of {pair}", partial(client.has_answer, "/en/quote/", price))

    def swap(self, pair: str, side: Literal["send", "get"], amount: str) -> None:
        """One exchange through the API, paid exactly."""
        played = self._open(APICustomer(self.site), self._wanted(pair, side, amount))
        played.pay(played.opened.send)
        self._finish([played])

    def underpayment(self, pair: str, amount: str) -> None:
        """One exchange opened on the pages and paid with 70 %: it waits, and the owner has it sent back."""
        customer = PageCustomer(self.site)
        played = self._open(customer, self._wanted(pair, "send", amount))
        opened = played.opened
        sent = Money(opened.send.minor * 7 // 10, opened.send.asset)
        played.pay(sent)

        def offer() -> tuple[int, Money] | None:
            played.look()
            return customer.find_refund(opened)

        deposit_id, promised = self._wait(f"the refund of {opened.reference}", offer)
        address = _play(sent).fresh_address()
        played.tell(f"owner asks for a refund; the page promises {promised}")
        customer.ask_refund(opened, deposit_id=deposit_id, address=address)
        self._wait_for_state([played], "refunded")
        arrived = Money(_play(sent).received(address), opened.send.asset)
        books = played.books()
        problems = prove_refund(promised=promised, books=books, deposit_id=deposit_id, sent=sent, arrived=arrived)
        self._conclude(played, books, problems, f"promised = on chain = booked = {promised} back")

    def at_once(self, pair: str, amounts: Sequence[str]) -> None:
        """Several customers who open in the same moment and whose payments meet in the same blocks."""
        wanted = [self._wanted(pair, "send", amount) for amount in amounts]
        customers = [APICustomer(self.site) for _ in amounts]
        with ThreadPoolExecutor(len(amounts)) as pool:  # speaks HTTP only: no database connection to leave behind
            opened = list(pool.map(lambda both: both[0].open(both[1]), zip(customers, wanted, strict=True)))
        orders = [self._begin(customer, one) for customer, one in zip(customers, opened, strict=True)]
        for played in orders:
            played.pay(played.opened.send)
        self._finish(orders)

    def _wanted(self, pair: str, side: Literal["send", "get"], amount: str) -> Wanted:
        sends, gets = (get_asset(code) for code in PAIRS[pair])
        address = open_play(gets.network).fresh_address()
        return Wanted(pair=pair, send=sends, get=gets, side=side, amount=amount, payout_address=address)

    def _open(self, customer: Customer, wanted: Wanted) -> Played:
        return self._begin(customer, customer.open(wanted))

    def _begin(self, customer: Customer, opened: Opened) -> Played:
        self.orders += 1
        played = Played(customer=customer, opened=opened, say=self.say)
        played.tell(f"promised: {opened.get} for {opened.send}")
        return played

    def _finish(self, orders: list[Played]) -> None:
        self._wait_for_state(orders, "completed")
        for played in orders:
            books, opened = played.books(), played.opened
            problems = prove_swap(opened=opened, books=books, sent=opened.send, arrived=played.arrived())
            self._conclude(played, books, problems, f"promised = on chain = booked = {opened.get}")

    def _wait_for_state(self, orders: list[Played], state: str) -> None:
        names = ", ".join(played.opened.reference for played in orders)

        def all_there() -> bool:
            seen = [(played, played.look()) for played in orders]
            for played, now in seen:
                if now.state != state and (now.exception not in ("", "none") or now.state in ENDS):
                    raise DemoFailed(f"{played.opened.reference} was to be {state} and is {now}")
            return all(now.state == state for _played, now in seen)

        self._wait(f"{names} to be {state}", all_there)

    def _wait(self, what: str, ready: Callable[[], Answer | None]) -> Answer:
        """Ask again and again until there is an answer. Raises: DemoFailed when it takes too long."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            answer = ready()
            if answer:
                return answer
            if time.monotonic() > deadline:
                raise DemoFailed(f"waited {LIMIT_S} s in vain for {what}")
            time.sleep(POLL_S)

    def _conclude(self, played: Played, books: OrderBooks, problems: list[str], proof: str) -> None:
        self.say(f"  timeline of {books.reference}")
        began = books.steps[0].at
        for step in books.steps:
            noted = "" if step.exception == "NONE" else f" [{step.exception}]"
            self.say(
                f"    {step.at:%H:%M:%S}  +{(step.at - began).total_seconds():6.1f} s  "
                f"{step.state:<17} {step.reason} ({step.actor}){noted}"
            )
        if problems:
            raise DemoFailed("\n".join(f"{books.reference}: {problem}" for problem in problems))
        played.tell(proof)


def _play(money: Money) -> Any:
    return open_play(get_asset(money.asset.code).network)
