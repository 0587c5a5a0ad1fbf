"""What is known of each module's mutants: one file a module in tests/mutants, shown as tables in docs/MUTATION.md.

A file holds the last measure, the survivors that may live and why, and the tests that killed the others.
"""

import json
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from mutate.mutants import ROOT, Mutant

RECORDS = ROOT / "tests" / "mutants"
PAGE = ROOT / "docs" / "MUTATION.md"
MARK = "<!-- written by bin/mutate --page from tests/mutants -->"
MOST_TESTS = 40
ASKED = 90  # per cent of each module's mutants shall be killed


@dataclass(frozen=True, slots=True, order=True)
class Survivor:
    """A fault that may live, by what does not change when lines move, and why it may. `before` and `after`: its line."""

    function: str
    operator: str
    before: str
    after: str
    why: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Record:
    """`mutants` there were, `run` of them, `killed` of those; `floor` is the least per cent that a later measure may say."""

    path: str
    measured: str
    mutants: int
    run: int
    killed: int
    floor: int
    tests: tuple[str, ...] = ()
    survivors: tuple[Survivor, ...] = ()

    @property
    def percent(self) -> int:
        """Killed per hundred that were run, rounded down."""
        return 100 * self.killed // self.run if self.run else 0

    def existing_tests(self) -> list[str]:
        """List the tests that are still there: pytest takes a name that is not for a mistake of the caller."""
        return [test for test in self.tests if _exists(test)]

    def text(self) -> str:
        """Return the file's text."""
        said = [
            f"module = {_quote(self.path)}",
            *([f"measured = {self.measured}"] if self.run else []),
            *(f"{name} = {getattr(self, name)}" for name in ("mutants", "run", "killed", "floor")),
            "tests = [",
            *(f"    {_quote(test)}," for test in self.tests),
            "]",
        ]
        for one in sorted(self.survivors):
            said += ["", "[[survivor]]", *(f"{name} = {_quote(getattr(one, name))}" for name in Survivor.__slots__)]
        return "\n".join(said) + "\n"

    def save(self) -> None:
        """Write the file."""
        RECORDS.mkdir(exist_ok=True)
        (RECORDS / _file_name(self.path)).write_text(self.text())


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _file_name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".") + ".toml"


def _exists(test: str) -> bool:
    file, _, name = test.partition("::")
    function = name.rpartition("::")[2]
    return (ROOT / file).exists() and f"def {function}(" in (ROOT / file).read_text()


def survivor_of(mutant: Mutant) -> Survivor:
    """Return the mutant as it stands in a file, without a reason."""
    before, after = mutant.shown()
    return Survivor(mutant.function, mutant.operator, before, after)


def load() -> dict[str, Record]:
    """Read all files, by the module's path. Raises: TypeError, KeyError on a file that is not one of these."""
    found = {}
    for file in sorted(RECORDS.glob("*.toml")):
        said = tomllib.loads(file.read_text())
        survivors = tuple(Survivor(**one) for one in said.pop("survivor", ()))
        path = said.pop("module")
        said.setdefault("measured", "")  # only met in a sample so far
        found[path] = Record(
            **{**said, "measured": str(said["measured"]), "tests": tuple(said["tests"])}, path=path, survivors=survivors
        )
    return found


def merge(
    old: Record | None, fresh: Record, survived: Iterable[Survivor], *, dead: Collection[Survivor] = (), whole: bool
) -> Record:
    """Return the record after a measure: reasons that were given stay; what a sample did not reach stays too."""
    known = {one: one for one in (old.survivors if old else ())}
    kept = {} if whole else {one: one for one in known if one not in dead}
    kept.update((one, known.get(one, one)) for one in survived)
    # Of a sample no more is held than what is asked: the next one may be another.
    reached = fresh.percent if fresh.run == fresh.mutants else min(fresh.percent, ASKED)
    return replace(fresh, floor=max(reached, old.floor if old else 0), survivors=tuple(sorted(kept.values())))


def learn(old: Record | None, path: str, tests: tuple[str, ...], survived: Iterable[Survivor]) -> Record:
    """Return the record with what a sample of many modules showed of this one, its measure left as it was."""
    known = old or Record(path, "", 0, 0, 0, 0)
    reasons = {one: one for one in (*survived, *known.survivors)}
    return replace(known, tests=tests, survivors=tuple(sorted(reasons.values())))


def choose_tests(killers: Mapping[str, Counter[str]], path: str, old: Record | None) -> tuple[str, ...]:
    """Return the tests that killed, most first: the ones to run before anything else is known of where lines run."""
    counted = killers.get(path, Counter())
    before = [test for test in (old.existing_tests() if old else []) if test not in counted]
    ranked = sorted(counted, key=lambda test: (-counted[test], test))
    return tuple((ranked + before)[:MOST_TESTS])


def render(records: Mapping[str, Record]) -> list[str]:
    """Return the tables of the page."""
    rows = ["| module | mutants | run | killed | survived | killed % | measured |", "|---|--:|--:|--:|--:|--:|---|"]
    for path in sorted(path for path, record in records.items() if record.run):
        it = records[path]
        rows.append(
            f"| `{path}` | {it.mutants} | {it.run if it.run < it.mutants else 'all'} | {it.killed} | "
            f"{it.run - it.killed} | {it.percent} | {it.measured} |"
        )
    rows += ["", "## Survivors, and why they may", "", "| where | fault | why |", "|---|---|---|"]
    for path in sorted(records):
        for one in records[path].survivors:
            where = f"`{path}` {one.function}".rstrip()
            rows.append(f"| {where} | `{_cell(one.before)}` → `{_cell(one.after)}` | {_cell(one.why)} |")
    return rows


def _cell(text: str) -> str:
    return text.replace("|", "¦").replace("`", "'")


def page_text() -> str:
    """Return the page with the tables of today's files behind its mark."""
    return f"{PAGE.read_text().partition(MARK)[0]}{MARK}\n\n" + "\n".join(render(load())) + "\n"
