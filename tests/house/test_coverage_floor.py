"""The floor of the coverage: what counts, and that it never falls."""

import subprocess
import tomllib

from coverage_floor import measure

from tests.sources import ROOT

FILE = "tests/coverage.toml"


def test_lines_and_branches_of_a_package_are_counted_together() -> None:
    def file(run: int, lines: int, taken: int, branches: int) -> dict[str, dict[str, int]]:
        return {
            "summary": {
                "covered_lines": run,
                "num_statements": lines,
                "covered_branches": taken,
                "num_branches": branches,
            }
        }

    report = {"files": {"core/a.py": file(9, 10, 1, 2), "core/b.py": file(0, 0, 0, 0), "ledger/c.py": file(1, 3, 0, 0)}}

    assert measure(report, ["core", "ledger", "orders"]) == {"core": 833, "ledger": 333, "orders": 0}


def test_the_floor_only_rises() -> None:
    now = tomllib.loads((ROOT / FILE).read_text())["floor"]
    command = ["git", "log", "--format=%H", "-n", "2", "--", FILE]
    # A tree without history (a box of the pipelines) has nothing to compare with.
    versions = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    for version in versions:
        said = subprocess.run(
            ["git", "show", f"{version}:{FILE}"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        before = tomllib.loads(said.stdout)["floor"]
        assert {package: now.get(package, -1) < floor for package, floor in before.items()} == dict.fromkeys(
            before, False
        )
