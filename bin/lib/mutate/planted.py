"""Faults planted by hand (tests/planted/faults.toml): each must turn one of the tests it names red."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

from mutate.covered import NOT_FAST
from mutate.mutants import ROOT
from mutate.run import Job

LIST = ROOT / "tests" / "planted" / "faults.toml"
CONTROL = "control: no fault at all"
TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Fault:
    """`put` takes the place of `find`, which stands once in the file `path`; `tests` are files and folders."""

    name: str
    path: str
    find: str
    put: str
    tests: tuple[str, ...]

    def source(self) -> str:
        """Return the module's text with the fault in it. Raises: LookupError when the place is not found once."""
        text = (ROOT / self.path).read_text()
        if text.count(self.find) != 1:
            raise LookupError(
                f"{self.name}: {self.find!r} stands {text.count(self.find)} times in {self.path}, not once"
            )
        return text.replace(self.find, self.put)


def list_faults() -> list[Fault]:
    """Read the list."""
    return [Fault(**{**said, "tests": tuple(said["tests"])}) for said in tomllib.loads(LIST.read_text())["fault"]]


def list_jobs(faults: list[Fault]) -> Iterator[Job]:
    """Make a job of each, and of no fault at all with the tests of the first: that one must survive."""
    for fault in faults:
        yield Job(fault.name, fault.path, fault.source(), [["-m", NOT_FAST, *fault.tests]], TIMEOUT_S)
    first = faults[0]
    text = (ROOT / first.path).read_text()
    yield Job(CONTROL, first.path, text, [["-m", NOT_FAST, *first.tests]], TIMEOUT_S)
