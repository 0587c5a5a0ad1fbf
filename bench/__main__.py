"""Measure what the site can do beside what the machine can do: each part prints its rates and their ratio.

Each figure is the median of three; the runs of what is compared take turns, so that a busy minute hits both. New parts
are a function that returns Lines, added to PARTS.
"""

import os
import statistics
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


PARTS: dict[str, Callable[[], list[Line]]] = {"postings": bench_postings}


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
