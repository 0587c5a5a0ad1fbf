"""bin/mutate: puts faults into the money path and says which of them no fast test notices."""

import argparse
import os
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable

from mutate import report
from mutate.covered import Coverage, measure
from mutate.mutants import ROOT, Mutant, list_mutants, list_targets
from mutate.planted import CONTROL, list_faults, list_jobs
from mutate.run import KILLED, SURVIVED, TIMED_OUT, Job, Result, load_libraries, run_jobs

# A fault may make its tests so many times slower, and so much, before it counts as noticed.
SLACK, LEAST_S = 5, 30


def main() -> int:
    """Run what was asked for; 1 when a mutant survived that docs/MUTATION.md does not explain, with --strict."""
    asked = _arguments()
    if asked.planted:
        return _plant(asked)
    paths = _choose_modules(asked)
    if not paths:
        print("nothing that is mutated has changed; --all takes every module, or name some")
        return 0
    mutants = [mutant for path in paths for mutant in list_mutants(path)]
    if asked.sample:
        mutants = random.Random(asked.seed).sample(  # noqa: S311 -- a choice, no secret
            mutants, min(asked.sample, len(mutants))
        )
    print(f"{len(mutants)} mutants of {len(paths)} modules; which test runs which line…", flush=True)
    began = time.monotonic()
    coverage = measure(asked.processes)
    print(f"  known after {time.monotonic() - began:.0f} s", flush=True)
    load_libraries()
    until = time.monotonic() + asked.hours * 3600
    results = _run(mutants, coverage, asked.processes, until, asked.budget)
    rows = _table(mutants, results)
    survivors = [(m, results[m.name]) for m in mutants if m.name in results and results[m.name].outcome not in _DEAD]
    for mutant, result in survivors:
        before, after = mutant.shown()
        print(f"{result.outcome}: {mutant.name}\n    - {before}\n    + {after}")
    print("\n".join(rows))
    report.keep(mutants, results)
    return 0


_DEAD = (KILLED, TIMED_OUT)


def _plant(asked: argparse.Namespace) -> int:
    """Plant the faults of the list, or a sample; 1 when one of them is not noticed, or tests fail without any."""
    faults = list_faults()
    if asked.sample:
        chosen = random.Random(asked.seed)  # noqa: S311 -- a choice, no secret
        faults = chosen.sample(faults, min(asked.sample, len(faults)))
    load_libraries()
    until = time.monotonic() + asked.hours * 3600
    failed = 0
    print("| planted fault | what became of it | seconds |\n|---|---|--:|")
    for result in run_jobs(list_jobs(faults), processes=asked.processes, until=until):
        expected = (SURVIVED,) if result.name == CONTROL else _DEAD
        said = result.outcome if result.outcome in expected else f"**{result.outcome}**"
        print(f"| {result.name} | {said} | {result.seconds:.0f} |", flush=True)
        if result.outcome not in expected:
            failed += 1
            print(result.said, file=sys.stderr)
    return int(failed > 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/mutate", description=__doc__)
    parser.add_argument("modules", nargs="*", help="paths of modules; without any, those that differ from main")
    parser.add_argument("--all", action="store_true", help="every module of the money path")
    parser.add_argument("--planted", action="store_true", help="the faults of tests/planted instead")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="only so many, chosen by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=12, help="begin no further mutant after so long")
    parser.add_argument("--budget", type=float, default=20, help="seconds of tests for each mutant at the most")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def _choose_modules(asked: argparse.Namespace) -> list[str]:
    targets = list_targets()
    if asked.modules:
        unknown = [path for path in asked.modules if not any(t.startswith(path.rstrip("/")) for t in targets)]
        if unknown:
            sys.exit(f"error: {', '.join(unknown)}: not mutated. bin/lib/mutate/mutants.py says what is.")
        return [t for t in targets if any(t == path or t.startswith(path.rstrip("/") + "/") for path in asked.modules)]
    if asked.all or asked.sample:
        return targets
    changed = set(_git("diff", "--name-only", "main")) | set(_git("ls-files", "--others", "--exclude-standard"))
    return [path for path in targets if path in changed]


def _git(*command: str) -> list[str]:
    said = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True)
    return said.stdout.splitlines()


def _run(mutants: list[Mutant], coverage: Coverage, processes: int, until: float, budget_s: float) -> dict[str, Result]:
    results: dict[str, Result] = {}
    began = said = time.monotonic()
    for result in run_jobs(_jobs(mutants, coverage, budget_s), processes=processes, until=until):
        results[result.name] = result
        now = time.monotonic()
        if now - said >= 10:  # noqa: PLR2004 -- a line every ten seconds
            said = now
            alive = sum(r.outcome not in _DEAD for r in results.values())
            rate = (now - began) / len(results)
            print(f"  {len(results)} of {len(mutants)}, {alive} alive, {rate:.1f} s each", flush=True)
    return results


def _jobs(mutants: list[Mutant], coverage: Coverage, budget_s: float) -> Iterable[Job]:
    for mutant in mutants:
        rounds = coverage.tests_of(mutant.path, mutant.line, budget_s=budget_s)
        expected_s = sum(coverage.seconds.get(test, 0.0) for tests in rounds for test in tests)
        yield Job(mutant.name, mutant.path, mutant.source(), rounds, LEAST_S + SLACK * expected_s)


def _table(mutants: list[Mutant], results: dict[str, Result]) -> list[str]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant in mutants:
        result = results.get(mutant.name)
        counts[mutant.path][result.outcome if result else "not run"] += 1
    return report.table(counts)


if __name__ == "__main__":
    sys.exit(main())
