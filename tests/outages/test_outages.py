"""Every part of a served site stopped, killed, gone or with a wrong clock: what cannot be paid is not sold, all are paid once.

Real processes, PostgreSQL, Redis and nodes. Only `bin/nightly` runs these (mark `night`): OUTAGE_ROWS is how many of the
table (all, unless given), chosen by OUTAGE_SEED; OUTAGE_GONE_S how long what is gone stays away (300 in a whole night).
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import clock
from orders.pauses import WORDS, Reason
from tests.outages.customers import PAIRS, Customers, Order, Refusal
from tests.outages.rows import CLOCKS, GONE, KILLED, ROWS, SILENT, STOPPED, Row
from tests.outages.site import READY_S, Site, wait_until

pytestmark = pytest.mark.night

SEED = int(os.environ.get("OUTAGE_SEED", "1"))
COUNT = os.environ.get("OUTAGE_ROWS", "all")
HOLD_S = 14  # longer than any work may be silent
GONE_S = int(os.environ.get("OUTAGE_GONE_S", str(HOLD_S)))
COMPLETED = "completed none"
REFUSED_WITHIN_S, RESUMED_WITHIN_S, PAID_WITHIN_S = 10, 30, 120
CHOSEN = ROWS if COUNT == "all" else random.Random(SEED).sample(ROWS, int(COUNT))
RESULTS = Path(__file__).parents[2] / "var" / "nightly" / "outages.md"  # a line for each row that held
HEAD = (
    "| outage | lasted | sold again after | orders, each paid once | all paid after | run |",
    "|---|--:|--:|--:|--:|---|",
)


@pytest.fixture(scope="module")
def running() -> Iterator[list[Customers]]:
    """The site that the last row left well; empty before the first and after one that failed."""
    kept: list[Customers] = []
    yield kept
    for customers in kept:
        customers.site.end()


@pytest.fixture
def customers(running: list[Customers]) -> Iterator[Customers]:
    if not running:
        site = Site()
        site.start()
        running.append(Customers(site))
        wait_until_sold(running[0], READY_S)
    yield running[0]


def wait_until_sold(customers: Customers, seconds: int) -> float:
    """Wait until an order of each pair was taken, pay those, and return how long it took. Raises: AssertionError."""
    last: dict[str, Order | Refusal] = {pair: Refusal("") for pair in PAIRS}

    def all_sold() -> bool:
        for pair, before in last.items():
            if isinstance(before, Refusal):
                last[pair] = answer = customers.ask(pair)
                if isinstance(answer, Order):
                    customers.pay(answer)
        return all(isinstance(answer, Order) for answer in last.values())

    try:
        return wait_until(all_sold, seconds, "both pairs are sold")
    except AssertionError as error:
        raise AssertionError(f"{error}: {last}; {customers.causes()}") from None


def take_order(customers: Customers, pair: str) -> Order:
    """Open an order on a site that is well; a site that has just started may close once more. Raises: AssertionError."""
    until = time.monotonic() + RESUMED_WITHIN_S
    while not isinstance(answer := customers.ask(pair), Order):
        assert time.monotonic() < until, f"{pair} is not sold although nothing is wrong: {answer}; {customers.causes()}"
        time.sleep(0.5)
    return answer


def wait_until_completed(customers: Customers, orders: list[Order]) -> float:
    """Wait until all these orders are completed, and return how long it took. Raises: AssertionError."""
    waiting: dict[str, str] = {}

    def all_done() -> bool:
        waiting.clear()
        waiting.update({order.reference: customers.state(order) for order in orders})
        return set(waiting.values()) == {COMPLETED}

    try:
        return wait_until(all_done, PAID_WITHIN_S, f"{len(orders)} orders are completed")
    except AssertionError as error:
        query = "SELECT purpose, state, problem, tried_at FROM wallets_payout WHERE state <> 'CONFIRMED'"
        raise AssertionError(f"{error}: {waiting}; {customers.site.ask(query)}; {customers.causes()}") from None


def begin(site: Site, row: Row) -> None:
    if row.fault in CLOCKS:
        site.set_clock(row.part, CLOCKS[row.fault])
    elif row.part == "postgres":
        site.stop_database()
    elif row.fault in (STOPPED, SILENT):
        site.signal_part(row.part, signal.SIGSTOP)
    else:
        site.kill_part(row.part, signal.SIGKILL if row.fault == KILLED else signal.SIGTERM)


def finish(site: Site, row: Row) -> None:
    if row.fault in CLOCKS:
        site.set_clock(row.part, 0)
    elif row.part == "postgres":
        site.start_database()
    elif row.fault in (STOPPED, SILENT):
        site.signal_part(row.part, signal.SIGCONT)
    else:
        site.start_part(row.part)


def check_refusal(customers: Customers, row: Row, pair: str, answer: Order | Refusal) -> None:
    allowed = row.refuses.get(pair, frozenset())
    assert isinstance(answer, Refusal), f"{pair} was sold"
    if answer.code != "pair_paused":
        assert answer.code in allowed, (pair, answer, customers.causes())
        return
    told = customers.causes()
    named = [cause for cause in allowed if cause in told]
    assert named, (pair, allowed, answer, told)
    words = [str(WORDS[Reason(cause)]) for cause in allowed if cause in set(Reason)]
    assert any(text in answer.words for text in words), (pair, allowed, answer, told)


@pytest.mark.parametrize("row", CHOSEN, ids=lambda row: row.name)
def test_outage(customers: Customers, running: list[Customers], row: Row) -> None:
    try:
        try_row(customers, row)
    except BaseException as error:
        error.add_note(customers.site.logs())
        running.clear()
        customers.site.end()
        raise


def try_row(customers: Customers, row: Row) -> None:
    site, choose = customers.site, random.Random(f"{SEED}:{row.name}")
    lasts_s = GONE_S if row.fault in (GONE, SILENT) else HOLD_S
    began = len(customers.paid)
    orders = [take_order(customers, pair) for pair in PAIRS for _ in range(2)]
    for order in orders[::2]:
        customers.pay(order)
    time.sleep(choose.uniform(0, 8))  # somewhere between the payment and the end of the order

    begin(site, row)
    fault = time.monotonic()
    late = [order for order in orders[1::2] if PAIRS[order.pair][0] != row.part]
    for order in late:
        customers.pay(order)
    time.sleep(max(fault + REFUSED_WITHIN_S - time.monotonic(), 0))
    for pair in PAIRS:
        answer = customers.ask(pair)
        if pair in row.refuses:
            check_refusal(customers, row, pair, answer)
        elif pair not in row.pairs_free:
            assert isinstance(answer, Order), (pair, answer, customers.causes())
        if isinstance(answer, Order) and PAIRS[pair][0] != row.part:
            customers.pay(answer)
    time.sleep(max(fault + lasts_s - time.monotonic(), 0))

    finish(site, row)
    resumed_s = wait_until_sold(customers, RESUMED_WITHIN_S)
    for order in orders[1::2]:
        if order not in late:
            customers.pay(order)
    mine = customers.paid[began:]
    paid_s = wait_until_completed(customers, mine)
    for order in customers.paid:
        assert customers.arrived(order) == [order.get_minor], (order, customers.state(order))
    twice = "SELECT owner_ref FROM wallets_payout GROUP BY owner_ref HAVING count(*) > 1"
    assert site.ask(twice) == []
    remember(row, f"{lasts_s} s | {resumed_s:.1f} s | {len(mine)} | {paid_s:.0f} s")


def remember(row: Row, measured: str) -> None:
    """Write a row's line, in the place of its last one; bin/nightly puts them on its page."""
    lines = RESULTS.read_text().splitlines()[2:] if RESULTS.exists() else []
    by_name = {line.split(" | ")[0].removeprefix("| "): line for line in lines}
    by_name[row.name] = f"| {row.name} | {measured} | {clock.now():%Y-%m-%d} |"
    order = [one.name for one in ROWS]
    kept = sorted((name for name in by_name if name in order), key=order.index)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text("\n".join([*HEAD, *(by_name[name] for name in kept)]) + "\n")
