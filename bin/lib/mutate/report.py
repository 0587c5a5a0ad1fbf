"""What a run of mutants found, as a table for people and as a file that docs/MUTATION.md is made from."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from mutate.covered import STATE
from mutate.mutants import Mutant
from mutate.run import KILLED, SURVIVED, TIMED_OUT, UNCOVERED, Result

COLUMNS = (KILLED, TIMED_OUT, SURVIVED, UNCOVERED)
RESULTS = STATE / "results.json"


def table(counts: Mapping[str, Counter[str]]) -> list[str]:
    """Return a Markdown table of modules with what became of their mutants, and the sum."""
    rows = [
        "| module | mutants | killed | timed out | survived | uncovered | killed % |",
        "|---|--:|--:|--:|--:|--:|--:|",
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
    return f"| {name} | {run} | {' | '.join(str(count[column]) for column in COLUMNS)} | {share} |"


def keep(mutants: Iterable[Mutant], results: Mapping[str, Result]) -> None:
    """Add these results to those of earlier runs; a module's own are replaced by its newer ones."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for mutant in mutants:
        if mutant.name in results:
            before, after = mutant.shown()
            known[mutant.name] = {
                "path": mutant.path,
                "outcome": results[mutant.name].outcome,
                "from": before,
                "to": after,
            }
    RESULTS.write_text(json.dumps(known, indent=1))
