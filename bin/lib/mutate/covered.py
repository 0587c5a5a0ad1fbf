"""Which fast tests run which line, and how long each takes: measured once, and again for what has changed since."""

import ast
import difflib
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mutate.mutants import ROOT, list_targets

STATE = ROOT / "var" / "mutate"
MAP = STATE / "covered.json"
TESTED = "tests"
NOT_FAST = "not node and not browser and not slow and not docker"
# They test the delivery and the suite, never a line of the money path, and take their time.
IGNORED = ("tests/delivery", "tests/browser", "tests/house", "tests/demo")
FIRST_TESTS, FIRST_S = 30, 3.0  # most faults die in the first round, which therefore opens few files
PACKAGES = ("orders", "wallets", "ledger", "core", "ticker")


class Coverage:
    """Lines of modules by the tests that run them. Tests that failed without any mutant are left out."""

    def __init__(self, lines: dict[str, dict[int, list[str]]], seconds: dict[str, float]) -> None:
        self.lines, self.seconds = lines, seconds

    def tests_of(self, path: str, line: int, *, budget_s: float) -> list[list[str]]:
        """List the tests for a fault at a line in two rounds: the module's own and the quickest, then more, in all a budget.

        A line that only runs at import (a constant, a decorator) is everybody's who runs any line of the module.
        """
        by_line = self.lines.get(path, {})
        wanted = {test for number in _statement(path, line) for test in by_line.get(number, ())}
        if not wanted and _is_at_top(path, line):
            wanted = {test for tests in by_line.values() for test in tests}
        own = f"/test_{Path(path).stem}.py::"
        if not by_line:  # a module of declarations: nothing in it ever runs but at import
            wanted = {test for test in self.seconds if own in test}
        ranked = sorted(wanted, key=lambda name: (own not in name, self.seconds.get(name, 0.0), name))
        first, total = [], 0.0
        while ranked and len(first) < FIRST_TESTS and total <= FIRST_S:
            first.append(ranked.pop(0))
            total += self.seconds.get(first[-1], 0.0)
        second = []
        while ranked and total + self.seconds.get(ranked[0], 0.0) <= budget_s:
            second.append(ranked.pop(0))
            total += self.seconds.get(second[-1], 0.0)
        return [tests for tests in (first, second) if tests]


def _statement(path: str, line: int) -> range:
    """Return the lines of the innermost statement there; of one with a body, its head."""
    found = range(line, line + 1)
    for node in ast.walk(_parse(path)):
        if not isinstance(node, ast.stmt):
            continue
        body = getattr(node, "body", None)
        end = body[0].lineno - 1 if body else node.end_lineno or node.lineno
        if node.lineno <= line <= max(end, node.lineno):
            found = range(node.lineno, max(end, node.lineno) + 1)
    return found


def _is_at_top(path: str, line: int) -> bool:
    for node in ast.walk(_parse(path)):
        inside = isinstance(node, ast.FunctionDef) and node.body[0].lineno <= line <= (node.end_lineno or 0)
        if inside:
            return False
    return True


_trees: dict[str, ast.Module] = {}


def _parse(path: str) -> ast.Module:
    if path not in _trees:
        _trees[path] = ast.parse((ROOT / path).read_text())
    return _trees[path]


def measure(processes: int, *, anew: bool = False) -> Coverage:
    """Return what is known, after running the fast tests: all of them at first, later those whose files have changed.

    Lines that moved are followed. What an older measure does not know only makes a mutant look alive. Raises: RuntimeError.
    """
    STATE.mkdir(parents=True, exist_ok=True)
    known: dict[str, Any] = json.loads(MAP.read_text()) if MAP.exists() and not anew else {}
    files = _hash_tests()
    changed = sorted(path for path, digest in files.items() if known.get("files", {}).get(path) != digest)
    if changed or not known:
        gone = {path for path in known.get("files", {}) if path not in files} | set(changed)
        known = _merge(known, _run(processes, changed if known else []), gone)
        MAP.write_text(json.dumps({**known, "files": files}))
    return Coverage(
        {path: {int(n): tests for n, tests in lines.items()} for path, lines in _followed(known).items()},
        known["seconds"],
    )


def _hash_tests() -> dict[str, str]:
    found = {str(file.relative_to(ROOT)): file for file in sorted((ROOT / TESTED).rglob("test_*.py"))}
    return {
        path: hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        for path, file in found.items()
        if not path.startswith(tuple(f"{folder}/" for folder in IGNORED))
    }


def _followed(known: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    """Return the lines by today's numbers; a new line belongs to whoever runs the one before it."""
    found = {}
    for path, lines in known["lines"].items():
        old, new = known["texts"][path].splitlines(), _lines_of(path)
        if old == new:
            found[path] = lines
            continue
        moved: dict[str, list[str]] = {}
        for _tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            for number in range(c, d):
                here = lines.get(str(min(a + number - c, max(b - 1, a - 1, 0)) + 1))
                if here:
                    moved[str(number + 1)] = here
        found[path] = moved
    return found


def _lines_of(path: str) -> list[str]:
    file = ROOT / path
    return file.read_text().splitlines() if file.exists() else []


def _merge(known: dict[str, Any], found: dict[str, Any], gone: set[str]) -> dict[str, Any]:
    if not known:
        return found
    lines: dict[str, dict[str, list[str]]] = found["lines"]
    for path, old in _followed(known).items():
        here = lines.setdefault(path, {})
        for number, tests in old.items():
            kept = {test for test in tests if test.partition("::")[0] not in gone}
            here[number] = sorted({*here.get(number, ()), *kept})
    seconds = {test: s for test, s in known["seconds"].items() if test.partition("::")[0] not in gone}
    return {**found, "lines": lines, "seconds": {**seconds, **found["seconds"]}}


def _run(processes: int, files: list[str]) -> dict[str, Any]:
    from coverage import CoverageData  # noqa: PLC0415 -- only needed here

    data, times = STATE / "coverage.data", STATE / "times.json"
    config = STATE / "coverage.ini"
    config.write_text(f"[run]\ndata_file = {data}\nsource = {','.join(PACKAGES)}\n")
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "mutate.times", "-m", NOT_FAST, f"--numprocesses={processes}"),
        *("--dist=worksteal", "--cov", f"--cov-config={config}", "--cov-context=test", "--cov-report="),
        *(files or [TESTED, *(f"--ignore={folder}" for folder in IGNORED)]),
    ]
    env = {**_environment(), "MUTATE_TIMES": str(times)}
    with (STATE / "measure.log").open("w") as log:
        status = subprocess.run(command, cwd=ROOT, env=env, stdout=log, stderr=log, check=False).returncode
    if status not in (0, 1, 5):
        raise RuntimeError(f"the fast tests did not run; see {STATE / 'measure.log'}")
    said = json.loads(times.read_text())
    failed = set(said["failed"])
    covered = CoverageData(basename=str(data))
    covered.read()
    lines: dict[str, dict[str, list[str]]] = {}
    for path in list_targets():
        contexts = covered.contexts_by_lineno(str(ROOT / path))
        names = {line: {name.rpartition("|")[0] for name in found} - {""} - failed for line, found in contexts.items()}
        lines[path] = {str(line): sorted(tests) for line, tests in names.items() if tests}
    return {
        "lines": lines,
        "seconds": said["seconds"],
        "failed": sorted(failed),
        "texts": {path: (ROOT / path).read_text() for path in lines},
    }


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{Path(__file__).parents[1]}"}
