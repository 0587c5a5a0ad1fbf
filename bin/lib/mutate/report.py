"""What a run of mutants found, as a table for people."""

from collections import Counter
from collections.abc import Mapping

from mutate.run import KILLED, SURVIVED, TIMED_OUT, UNCOVERED

COLUMNS = (KILLED, TIMED_OUT, SURVIVED, UNCOVERED)
BESIDE = ("listed", "unmeasured", "not run")


def table(counts: Mapping[str, Counter[str]]) -> list[str]:
    """Return a Markdown table of modules with what became of their mutants, and the sum."""
    rows = [
        "| module | mutants | killed | timed out | survived | uncovered | killed % | listed | unmeasured | not run |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    total: Counter[str] = Counter()
    for path in sorted(counts):
        rows.append(_row(f"`{path}`", counts[path]))
        total += counts[path]
    return [*rows, _row("all", total)]


def _row(name: str, count: Counter[str]) -> str:
    run = sum(count[column] for column in COLUMNS)
    dead = count[KILLED] + count[TIMED_OUT]
    share = f"{100 * dead / run:.0f}" if run else "–"
    beside = " | ".join(str(count[column]) for column in BESIDE)
    return f"| {name} | {run} | {' | '.join(str(count[column]) for column in COLUMNS)} | {share} | {beside} |"
