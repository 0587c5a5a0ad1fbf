"""Measure what the site can do beside what the machine can do: each part prints its rates and their ratio.

Each figure is the median of three; the runs of what is compared take turns, so that a busy minute hits both. New parts
are a function that returns Lines, added to PARTS.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import django

RUNS = 3


@dataclass(frozen=True, slots=True)
class Line:
    """`ours` and `theirs` per second; `aim` is the ratio asked for, None where it is only reported."""

    name: str
    ours: float
    theirs: float
    aim: float | None


def medians(**measures: Callable[[int], float]) -> dict[str, float]:
    """Run each measure RUNS times, taking turns, with progress; return the medians."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for run in range(RUNS):
        for name, measure in measures.items():
            found[name].append(measure(run))
            load = os.getloadavg()[0]
            print(f"  run {run + 1} of {RUNS}  {name:<24} {found[name][-1]:>10,.0f} /s   load {load:.1f}", flush=True)
    return {name: statistics.median(values) for name, values in found.items()}


def bench_postings() -> list[Line]:
    """Four-leg entries through post_entries, one at a time and in batches of 25."""
    from bench import postings

    print("filling pgbench's tables", flush=True)
    tpcb = postings.pgbench(os.environ["POSTGIS_PORT_5432_TCP_ADDR"], os.environ["POSTGIS_ENV_POSTGRES_USER"])
    postings.prepare()
    found = medians(
        checked_1=lambda run: postings.entries_per_second("checked", 1, run),
        plain_1=lambda run: postings.entries_per_second("plain", 1, run),
        checked_25=lambda run: postings.entries_per_second("checked", 25, run),
        plain_25=lambda run: postings.entries_per_second("plain", 25, run),
        pgbench=lambda _run: tpcb(),
    )
    return [
        Line("entries, one each, / plain rows", found["checked_1"], found["plain_1"], 0.6),
        Line("entries, in 25s, / plain rows", found["checked_25"], found["plain_25"], 0.6),
        Line("entries, one each, / pgbench", found["checked_1"], found["pgbench"], None),
        Line("entries, in 25s, / pgbench", found["checked_25"], found["pgbench"], None),
    ]


def bench_web() -> list[Line]:
    """The API's reads and the opening of orders, beside a bare view of the same framework under the same server."""
    from bench import web

    web.stock()
    bare = "/en/api/bare/"
    price = "/en/api/v1/get_price/ETHLTC/?amount_quote=1"
    with web.served() as port:
        found = medians(
            bare_get=lambda _run: web.per_second(port, "GET", bare),
            get_price=lambda _run: web.per_second(port, "GET", price),
            pairs=lambda _run: web.per_second(port, "GET", "/en/api/v1/pair/"),
            currencies=lambda _run: web.per_second(port, "GET", "/en/api/v1/currency/"),
            bare_post=lambda _run: web.per_second(port, "POST", bare, web.ORDER),
            orders=lambda _run: web.per_second(port, "POST", "/en/api/v1/orders/", web.ORDER),
        )
    return [
        Line("get_price / bare view", found["get_price"], found["bare_get"], 0.7),
        Line("pairs / bare view", found["pairs"], found["bare_get"], 0.7),
        Line("currencies / bare view", found["currencies"], found["bare_get"], 0.7),
        Line("order create / one-row POST", found["orders"], found["bare_post"], 0.25),
    ]


def bench_payouts() -> list[Line]:
    """500 confirmed deposits drained to broadcast, then 100 at once; its figures are seconds, so it prints its own."""
    subprocess.run([sys.executable, "-m", "pytest", "-q", "bench/test_drain.py"], check=True)
    return []


PARTS: dict[str, Callable[[], list[Line]]] = {"postings": bench_postings, "web": bench_web, "payouts": bench_payouts}


def main(names: list[str]) -> None:
    """Run the named parts, or all."""
    unknown = set(names) - set(PARTS)
    if unknown:
        sys.exit(f"There is no part {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}.")
    django.setup()
    lines = []
    for name in names or PARTS:
        print(f"{name}:", flush=True)
        lines += PARTS[name]()
    print(f"\n{'median of ' + str(RUNS):<34} {'ours':>10} {'beside':>10} {'ratio':>7} {'aim':>6}")
    for line in lines:
        aim = "" if line.aim is None else f"{line.aim:.2f}"
        print(f"{line.name:<34} {line.ours:>10,.0f} {line.theirs:>10,.0f} {line.ours / line.theirs:>7.2f} {aim:>6}")


main(sys.argv[1:])
