"""bin/mutate: puts faults into the money path and says which of them no fast test notices."""

import argparse
import os
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from mutate import records, report
from mutate.covered import IGNORED, NOT_FAST, TESTED, measure
from mutate.mutants import ROOT, Mutant, list_mutants, list_targets
from mutate.planted import CONTROL, list_faults, list_jobs
from mutate.records import Record, Survivor, survivor_of
from mutate.run import KILLED, NOT_RUN, SURVIVED, TIMED_OUT, Job, Result, load_libraries, run_jobs

# A fault may make its tests so many times slower, and so much, before it counts as noticed.
SLACK, LEAST_S = 5, 30
QUICK_S = 120
FEWEST = 20  # of a module must have been run for a measure, or all there are
DEAD = (KILLED, TIMED_OUT)
LISTED = "listed"  # a survivor with a reason: not run in a sample
UNMEASURED = (
    "unmeasured"  # of a module that was never measured, and its own tests let it live: a sample goes no further
)


def main() -> int:
    """Run what was asked for; 1 when a mutant survived that no file of tests/mutants explains, or a floor is broken."""
    asked = _arguments()
    if asked.page:
        records.PAGE.write_text(records.page_text())
        return 0
    if asked.planted:
        return _plant(asked)
    paths = _choose_modules(asked)
    if not paths:
        print("nothing that is mutated has changed; --all takes every module, or name some")
        return 0
    return _mutate(asked, paths)


def _mutate(asked: argparse.Namespace, paths: list[str]) -> int:
    known = records.load()
    mutants = _choose_mutants(asked, paths)
    print(f"{len(mutants)} mutants of {len({m.path for m in mutants})} modules", flush=True)
    until = time.monotonic() + asked.hours * 3600
    results = _run(asked, mutants, known, until)
    survivors = {m: survivor_of(m) for m in mutants if m.name in results and not _is_dead(results[m.name])}
    unlisted = {m: one for m, one in survivors.items() if one not in _listed(known, m.path)}
    for mutant, one in unlisted.items():
        print(f"{results[mutant.name].outcome}: {mutant.name} in {one.function or 'the module'}")
        print(f"    - {one.before}\n    + {one.after}")
    print("\n".join(_table(mutants, results)))
    if results and all(result.outcome == NOT_RUN for result in results.values()):
        print("error: no test could be run; what they said is above", file=sys.stderr)
        return 1
    if asked.record:
        return _record(asked, mutants, results, survivors)
    if unlisted:
        print(
            f"{len(unlisted)} survivors are listed in no file of tests/mutants: write the test that notices, or why none can"
        )
    return int(bool(unlisted))


def _is_dead(result: Result) -> bool:
    return result.outcome in (*DEAD, LISTED, NOT_RUN, UNMEASURED)


def _listed(known: dict[str, Record], path: str) -> dict[Survivor, Survivor]:
    return {one: one for one in known[path].survivors if one.why} if path in known else {}


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
        expected = (SURVIVED,) if result.name == CONTROL else DEAD
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
    parser.add_argument(
        "--each", type=int, default=0, metavar="N", help="only so many of each module, chosen by --seed"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--survivors", action="store_true", help="only those that tests/mutants lists, to see which died"
    )
    parser.add_argument("--record", action="store_true", help="write what was found into tests/mutants")
    parser.add_argument("--page", action="store_true", help="only write the tables of docs/MUTATION.md anew")
    parser.add_argument("--anew", action="store_true", help="measure again which test runs which line")
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


def _choose_mutants(asked: argparse.Namespace, paths: list[str]) -> list[Mutant]:
    by_module = [_draw(list_mutants(path), asked.each or sys.maxsize, asked.seed) for path in paths]
    if asked.survivors:
        known = records.load()
        listed = {path: set(known[path].survivors) for path in paths if path in known}
        by_module = [[m for m in mutants if survivor_of(m) in listed.get(m.path, ())] for mutants in by_module]
    mutants = [mutant for some in by_module for mutant in some]
    return _draw(mutants, asked.sample, asked.seed) if asked.sample else mutants


def _draw(mutants: list[Mutant], number: int, seed: int) -> list[Mutant]:
    return sorted(mutants, key=lambda mutant: mutant.rank(seed))[:number]


def _run(asked: argparse.Namespace, mutants: list[Mutant], known: dict[str, Record], until: float) -> dict[str, Result]:
    """Run the tests that are known to kill, then for what lives all those that run the line, and prove the killers."""
    load_libraries()
    results: dict[str, Result] = {}
    if asked.sample:
        for mutant in mutants:
            if survivor_of(mutant) in _listed(known, mutant.path):
                results[mutant.name] = Result(mutant.name, LISTED, 0)
    waiting = [mutant for mutant in mutants if mutant.name not in results]
    quick = {path: _quick_rounds(path, known.get(path)) for path in {mutant.path for mutant in waiting}}
    if not (asked.anew or asked.survivors):  # what those tests let live they let live again
        first = [mutant for mutant in waiting if quick[mutant.path]]
        jobs = (Job(m.name, m.path, m.source(), quick[m.path], QUICK_S) for m in first)
        found = _follow(run_jobs(jobs, processes=asked.processes, until=until), len(first))
        results.update((name, result) for name, result in found.items() if result.outcome in DEAD)
        waiting = [m for m in waiting if m.name not in results and (m.name in found or m not in first)]
    if asked.sample:
        unmeasured = [m for m in waiting if not (m.path in known and known[m.path].run)]
        results.update((m.name, Result(m.name, UNMEASURED, 0)) for m in unmeasured)
        waiting = [m for m in waiting if m.name not in results]
    if waiting and time.monotonic() < until:
        print(f"{len(waiting)} more; which test runs which line…", flush=True)
        began = time.monotonic()
        coverage = measure(asked.processes, anew=asked.anew or asked.all)
        print(f"  known after {time.monotonic() - began:.0f} s", flush=True)
        until += time.monotonic() - began

        def jobs_of_lines() -> Iterator[Job]:
            for mutant in waiting:
                rounds = coverage.tests_of(mutant.path, mutant.line, budget_s=asked.budget)
                expected_s = sum(coverage.seconds.get(test, 0.0) for tests in rounds for test in tests)
                yield Job(mutant.name, mutant.path, mutant.source(), rounds, LEAST_S + SLACK * expected_s)

        results.update(_follow(run_jobs(jobs_of_lines(), processes=asked.processes, until=until), len(waiting)))
    return _proven(results, asked.processes)


def _quick_rounds(path: str, record: Record | None) -> list[list[str]]:
    tests = record.existing_tests() if record else []
    own = [str(file.relative_to(ROOT)) for file in sorted((ROOT / TESTED).rglob(f"test_{Path(path).stem}.py"))]
    tests = tests or [file for file in own if not file.startswith(IGNORED)]
    return [["-m", NOT_FAST, *tests]] if tests else []


def _follow(found: Iterable[Result], number: int) -> dict[str, Result]:
    results: dict[str, Result] = {}
    began = said = time.monotonic()
    for result in found:
        results[result.name] = result
        now = time.monotonic()
        if now - said >= 10:  # noqa: PLR2004 -- a line every ten seconds
            said = now
            alive = sum(not _is_dead(r) for r in results.values())
            rate = (now - began) / len(results)
            print(f"  {len(results)} of {number}, {alive} alive, {rate:.1f} s each", flush=True)
    return results


def _proven(results: dict[str, Result], processes: int) -> dict[str, Result]:
    """Return the results without the kills of tests that fail without any fault, too."""
    killers = sorted({result.killer for result in results.values() if result.outcome == KILLED and result.killer})
    path = "core/money.py"
    text = (ROOT / path).read_text()
    jobs = [Job(killer, path, text, [[killer]], LEAST_S * SLACK) for killer in killers]
    whole = Job("all", path, text, [killers], LEAST_S * SLACK)
    if not killers or all(r.outcome == SURVIVED for r in run_jobs([whole], processes=1, until=time.monotonic() + 1)):
        return results
    guilty = {
        result.name
        for result in run_jobs(jobs, processes=processes, until=time.monotonic() + 3600)
        if result.outcome != SURVIVED
    }
    for test in sorted(guilty):
        print(f"  {test} fails without any fault: what it killed does not count")
    return {
        name: Result(name, NOT_RUN, result.seconds) if result.killer in guilty else result
        for name, result in results.items()
    }


def _record(
    asked: argparse.Namespace, mutants: list[Mutant], results: dict[str, Result], survivors: dict[Mutant, Survivor]
) -> int:
    """Write a file for each module of which enough was run; 1 when one fell below its floor.

    A module's mutants are run in the order in which they are drawn, so that those before the end of the time are a sample.
    """
    known = records.load()
    killers: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant in mutants:
        if mutant.name in results and results[mutant.name].killer:
            killers[mutant.path][results[mutant.name].killer] += 1
    broken = 0
    for path in sorted({mutant.path for mutant in mutants}):
        drawn = [mutant for mutant in mutants if mutant.path == path]
        run = [m for m in drawn if m.name in results and results[m.name].outcome != NOT_RUN]
        old = known.get(path)
        alive = [one for mutant, one in survivors.items() if mutant.path == path]
        if asked.sample:  # a few of many modules: no measure of any, but their tests are known from now on
            records.learn(old, path, records.choose_tests(killers, path, old), alive).save()
            continue
        if len(run) < (len(drawn) if asked.survivors else min(len(drawn), FEWEST)):
            print(f"{path}: {len(drawn) - len(run)} were not run, so nothing is written")
            continue
        every = len(list_mutants(path))
        dead = {survivor_of(m) for m in run if results[m.name].outcome in DEAD}
        number, killed = len(run), sum(results[m.name].outcome in DEAD for m in run)
        if asked.survivors and old:
            number, killed = old.run, old.killed + killed
        day = str(datetime.now(tz=UTC).date())  # noqa: TID251 -- a date on a page
        fresh = Record(path, day, every, number, killed, 0, records.choose_tests(killers, path, old))
        if old and fresh.percent < old.floor:
            print(f"error: {path}: {fresh.percent} % are killed, its floor is {old.floor}. The survivors are above.")
            broken += 1
            continue
        records.merge(old, fresh, alive, dead=dead, whole=len(run) == every).save()
    records.PAGE.write_text(records.page_text())
    return int(broken > 0)


def _table(mutants: list[Mutant], results: dict[str, Result]) -> list[str]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant in mutants:
        result = results.get(mutant.name)
        counts[mutant.path][result.outcome if result else "not run"] += 1
    return report.table(counts)


if __name__ == "__main__":
    sys.exit(main())
