"""Runs tests against mutants: a process with the libraries loaded forks a child for each, which imports the fault instead.

A child has a database that its place keeps from mutant to mutant: tests roll back what they do. Nothing is written into the
tree.
"""

import hashlib
import importlib.abc
import importlib.util
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from mutate.covered import STATE
from mutate.mutants import ROOT

KILLED, SURVIVED, TIMED_OUT, UNCOVERED, NOT_RUN = "killed", "survived", "timed out", "uncovered", "not run"
# pytest's words for "interrupted", "internal error" and "called wrongly", and for "none was collected"; a child that did
# not even reach pytest; one in which the faulty module could not be imported.
NO_VERDICT, NO_TESTS, NOT_BEGUN, NOT_IMPORTED = (2, 3, 4), 5, 99, 98
PATIENCE = 6  # a child may take so many times its limit when it does not work: it sleeps, or others have the processor
# Slow to load and the same for all: what the tests import of others' packages.
LIBRARIES = (
    *("celery", "django.core.management", "django.db.backends.postgresql.base", "django.forms", "django.test"),
    *("django.views", "eth_account", "embit.bip32", "embit.transaction", "bip32", "kombu", "psycopg2.extras", "pytest"),
    *("redis", "requests", "segno", "_pytest.terminal", "_pytest.junitxml", "hypothesis", "hypothesis.strategies"),
)


@dataclass(frozen=True, slots=True)
class Job:
    """A module's path with a text to be run in its place, and the tests that should notice, round after round.

    `timeout_s`: of work; see PATIENCE.
    """

    name: str
    path: str
    source: str
    rounds: list[list[str]]
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Result:
    """`outcome` of a job, and how long it took."""

    name: str
    outcome: str
    seconds: float
    said: str = ""

    @property
    def killer(self) -> str:
        """The first test that noticed, without its case; empty when the module could not even be imported."""
        for line in self.said.splitlines():
            word, _, rest = line.partition(" ")
            if word in ("FAILED", "ERROR") and "::" in rest:
                return rest.partition(" - ")[0].partition("[")[0].strip()
        return ""


class _Replaced(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module by its name and runs another text as its code."""

    def __init__(self, path: str, source: str) -> None:
        self.path, self.source = path, source
        self.name = path.removesuffix(".py").replace("/", ".")

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(ROOT / self.path))

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(ROOT / self.path)
        # The module under test, with one fault in it.
        exec(compile(self.source, module.__file__, "exec"), module.__dict__)  # noqa: S102


def load_libraries() -> None:
    """Import what no mutant changes, once, before the first fork; compiled files are kept, outside the tree."""
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(STATE / "compiled")
    for name in LIBRARIES:
        importlib.import_module(name)


def run_jobs(jobs: Iterable[Job], *, processes: int, until: float) -> Iterator[Result]:
    """Run jobs, `processes` at a time, and yield their results as they come; begins none after `until` (monotonic)."""
    STATE.mkdir(parents=True, exist_ok=True)
    waiting = iter(jobs)
    places = [_Place(number) for number in range(processes)]
    exhausted = False
    while not exhausted or any(place.job for place in places):
        for place in places:
            if place.job is None and not exhausted:
                job = next(waiting, None) if time.monotonic() < until else None
                if job is None:
                    exhausted = True
                elif job.rounds:
                    place.start(job)
                else:
                    yield Result(job.name, UNCOVERED, 0)
            result = place.look()
            if result:
                yield result
        time.sleep(0.02)


class _Place:
    """One of the processes side by side: its child, and the database that its children use one after the other."""

    def __init__(self, number: int) -> None:
        self.number, self.generation = number, 0
        self.said = STATE / f"said-{number}.log"
        self.job: Job | None = None

    def start(self, job: Job) -> None:
        self.job, self.began, self.rounds, self.retried = job, time.monotonic(), list(job.rounds), False
        self._next_round()

    def _next_round(self) -> None:
        database = f"{kept_prefix()}_test_{os.getpid()}_{self.number}_{self.generation}"
        self.pid = _start(self.job, self.rounds.pop(0), database, self.number, self.said)

    def look(self) -> Result | None:
        """Return the result when there is one; go on with the next round when one has passed."""
        if self.job is None:
            return None
        spent_s = time.monotonic() - self.began
        ended, status = os.waitpid(self.pid, os.WNOHANG)
        if not ended:
            if _worked_s(self.pid) < self.job.timeout_s and spent_s < PATIENCE * self.job.timeout_s:
                return None
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.generation += 1  # what it had committed is nobody's ground
            return self._end(TIMED_OUT, spent_s)
        code = os.waitstatus_to_exitcode(status)
        if code in (NO_TESTS, NOT_BEGUN) or (code in NO_VERDICT and not self._is_from_fault()):
            return self._try_again(spent_s)
        if code == 0 and self.rounds:
            self._next_round()
            return None
        return self._end(SURVIVED if code == 0 else KILLED, spent_s)

    def _try_again(self, spent_s: float) -> Result | None:
        """Begin once more what the machine, not the fault, kept from running; what fails again was not run."""
        assert self.job is not None  # noqa: S101 -- the caller looked
        if self.retried:
            print(f"{self.job.name}: its tests were not begun:\n{self._text()}", file=sys.stderr, flush=True)
            return self._end(NOT_RUN, spent_s)
        self.retried, self.rounds = True, list(self.job.rounds)
        self._next_round()
        return None

    def _end(self, outcome: str, spent_s: float) -> Result:
        assert self.job is not None  # noqa: S101 -- the caller looked
        result = Result(self.job.name, outcome, spent_s, self._text())
        self.job = None
        return result

    def _is_from_fault(self) -> bool:
        assert self.job is not None  # noqa: S101 -- the caller looked
        said = self.said.read_text(errors="replace")  # a conftest, or a file of tests, that could not be imported
        return self.job.path in said or "ERROR collecting" in said

    def _text(self) -> str:
        return self.said.read_text(errors="replace")[-4000:]


def _worked_s(pid: int) -> float:
    """Return how long a child has had the processor: on a busy machine it waits for it far longer."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime, in ticks


def kept_prefix() -> str:
    """Begin a database's name as tests.databases does, so that it drops what a killed run leaves."""
    checkout = hashlib.sha256(f"{os.uname().nodename}:{ROOT}".encode()).hexdigest()[:8]
    return f"nexchange_{checkout}"


def _start(job: Job, tests: list[str], database: str, place: int, said: Path) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = NOT_BEGUN
    try:
        os.setsid()
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for stream in (1, 2):
            os.dup2(out, stream)
        os.environ["KEPT_TEST_DATABASE"] = database
        os.environ["PYTEST_XDIST_WORKER"] = f"gw{place}"  # a numbered Redis database
        sys.meta_path.insert(0, _Replaced(job.path, job.source))
        status = _test(tests, place)
    except BaseException as error:  # noqa: BLE001 -- whatever an import may raise
        traceback.print_exc()
        files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        status = NOT_IMPORTED if str(ROOT / job.path) in files else NOT_BEGUN
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _test(tests: list[str], place: int = 0) -> int:
    import pytest  # noqa: PLC0415 -- in the child

    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    # Files of its own: pytest tidies up what the runs before left, and meets whoever does the same.
    quiet = (
        f"--basetemp={STATE / f'files-{place}'}",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-p",
        "no:cov",
        "-p",
        "no:randomly",
    )
    # Asserts are not rewritten for better messages, which nobody reads here: that takes longer than most tests.
    return int(pytest.main(["-x", "-q", "--no-header", "--tb=short", "--assert=plain", *quiet, *tests]))
