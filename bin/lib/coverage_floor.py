"""Holds the branch coverage of the last whole run of the tests against its floor.

The floor (tests/coverage.toml) is per package, in tenths of a per cent, and only rises: --raise writes what was reached.
"""

import json
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
FLOOR = ROOT / "tests" / "coverage.toml"
MEASURED = ROOT / "var" / "coverage.json"
HEAD = """# The branch coverage that a whole run of the tests must reach, per package, in tenths of a per cent. It only rises:
# bin/lib/coverage_floor.py --raise after a whole bin/test.
"""


def measure(report: dict[str, dict[str, dict[str, dict[str, int]]]], packages: list[str]) -> dict[str, int]:
    """Return lines and branches run of all there are, per package, in tenths of a per cent, rounded down."""
    reached = {}
    for package in packages:
        sums = [file["summary"] for path, file in report["files"].items() if path.startswith(f"{package}/")]
        run = sum(each["covered_lines"] + each.get("covered_branches", 0) for each in sums)
        whole = sum(each["num_statements"] + each.get("num_branches", 0) for each in sums)
        reached[package] = 1000 * run // whole if whole else 0
    return reached


def main() -> int:
    """Compare, say what was reached, and return 1 when a package fell below its floor."""
    floor: dict[str, int] = tomllib.loads(FLOOR.read_text())["floor"]
    reached = measure(json.loads(MEASURED.read_text()), list(floor))
    low = [package for package in floor if reached[package] < floor[package]]
    said = ", ".join(f"{package} {reached[package] / 10:.1f} % (floor {floor[package] / 10:.1f})" for package in floor)
    print(f"branch coverage: {said}")
    if low:
        print(f"error: the coverage of {', '.join(low)} fell below its floor.", file=sys.stderr)
        print("       Test what you have added; var/coverage.json names the lines.", file=sys.stderr)
        return 1
    if "--raise" in sys.argv[1:]:
        rows = "\n".join(f"{package} = {max(reached[package], floor[package])}" for package in floor)
        FLOOR.write_text(f"{HEAD}\n[floor]\n{rows}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
