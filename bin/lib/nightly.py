"""The parts of bin/nightly as data, and the one table that they end with."""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "NIGHTLY.md"
LOGS = ROOT / "var" / "nightly"
OUTAGES = LOGS / "outages.md"  # written by tests/outages, a line for each row that held
SHORT_HOURS = 4
MARK = "<!-- the table of the last night: written by bin/nightly -->"


@dataclass(frozen=True, slots=True)
class Part:
    """A proof: its command for a night and, if it has one, for a sample. `{seed}` and `{hours}` are filled in.

    `sizes` are variables with what they are in a whole night, in a short one (under SHORT_HOURS) and in a sample.
    """

    name: str
    command: tuple[str, ...]
    sample: tuple[str, ...] = ()
    sizes: tuple[tuple[str, str, str, str], ...] = ()


def _tests(*words: str) -> tuple[str, ...]:
    return ("bin/test", "--python-only", *words, "-q")


PARTS = (
    Part("whole suite", ("bin/test", "--coverage")),
    Part(
        "outages",
        _tests("tests/outages", "-m", "night"),
        _tests("tests/outages", "-m", "night"),
        (
            ("OUTAGE_ROWS", "all", "all", "2"),
            ("OUTAGE_GONE_S", "300", "20", "12"),
            ("OUTAGE_SEED", "{seed}", "{seed}", "{seed}"),
        ),
    ),
    Part(
        "stopped and killed processes, silent nodes",
        _tests(
            *("tests/flows/test_kill.py", "tests/flows/test_kill_celery.py", "tests/flows/test_timeouts.py"),
            "tests/flows/test_worker_races.py",
        ),
        _tests("tests/flows/test_kill_simulated.py"),
    ),
    Part(
        "fee storms",
        _tests("tests/flows/test_fee_storms.py"),
        _tests("tests/flows/test_fee_storms.py"),
        (("FEE_STORMS", "200", "8", "3"), ("FEE_STORM_SEED", "{seed}", "{seed}", "{seed}")),
    ),
    Part(
        "fees and lost mempools on real nodes",
        _tests("tests/flows/test_dropped_mempool.py", "tests/flows/test_bump.py", "tests/wallets/test_fee_spikes.py"),
    ),
    Part(
        "hostile blocks",
        _tests("tests/hostile"),
        _tests("tests/hostile"),
        (
            ("HOSTILE_BLOCKS", "500", "50", "6"),
            ("HOSTILE_NODE_BLOCKS", "60", "6", "2"),
            ("HOSTILE_OUTPUTS", "2500", "2500", "150"),
            ("HOSTILE_SEED", "{seed}", "{seed}", "{seed}"),
        ),
    ),
    Part(
        "planted faults", ("bin/mutate", "--planted"), ("bin/mutate", "--planted", "--sample", "6", "--seed", "{seed}")
    ),
    Part(
        "mutants",
        ("bin/mutate", "--all", "--hours", "{hours}"),
        ("bin/mutate", "--sample", "60", "--seed", "{seed}", "--hours", "0.06"),
    ),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a part ended with: status, how long it took, the last line it said; with what sizes, when and on what."""

    name: str
    status: int
    seconds: float
    said: str
    sizes: str
    day: str
    revision: str


def main() -> int:
    """Run the parts one after the other; 1 when one failed."""
    asked = _arguments()
    chosen = [part for part in PARTS if asked.only in (None, part.name) and part.name not in asked.skip]
    if not chosen:
        sys.exit(f"error: no part is called {asked.only!r}. The parts: {', '.join(part.name for part in PARTS)}.")
    ends = time.monotonic() + asked.hours * 3600
    outcomes = []
    for part in chosen:
        command = part.sample if asked.sample else part.command
        if command:
            left_h = max((ends - time.monotonic()) / 3600, 0.1)
            outcomes.append(_run(part, command, {"seed": str(asked.seed), "hours": f"{left_h:.2f}"}, asked))
    print("\n".join(render(outcomes)))
    if not asked.sample:
        keep(outcomes)
        write_page(render(kept()))
    return int(any(outcome.status for outcome in outcomes))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/nightly", description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    parser.add_argument("--skip", action="append", default=[])
    return parser.parse_args()


def _run(part: Part, command: tuple[str, ...], values: dict[str, str], asked: argparse.Namespace) -> Outcome:
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{_file_name(part.name)}.log"
    words = [word.format(**values) for word in command]
    place = 3 if asked.sample else 2 if asked.hours < SHORT_HOURS else 1
    sizes = {size[0]: size[place].format(**values) for size in part.sizes}
    print(f"== {part.name}: {' '.join(words)} (all of it in {log.relative_to(ROOT)})", flush=True)
    began = time.monotonic()
    last = ""
    with (
        log.open("w") as file,
        subprocess.Popen(
            words, cwd=ROOT, env={**os.environ, **sizes}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        for line in process.stdout or ():
            file.write(line)
            file.flush()
            if line.strip():
                last = line.strip()
                print(f"  {last[:120]}", flush=True)
    used = [f"{name}={value}" for name, value in sizes.items()]
    used += [f"--hours {values['hours']}"] if "{hours}" in command else []
    return Outcome(
        name=part.name,
        status=process.returncode,
        seconds=time.monotonic() - began,
        said=last,
        sizes=" ".join(used),
        day=str(datetime.now(tz=UTC).date()),  # noqa: TID251 -- a date on a page
        revision=_revision(),
    )


def _file_name(part: str) -> str:
    return part.replace(" ", "-").replace(",", "")


def _revision() -> str:
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def keep(outcomes: list[Outcome]) -> None:
    """Store what parts ended with, each for itself: a part that is run alone replaces its own line."""
    for outcome in outcomes:
        (LOGS / f"{_file_name(outcome.name)}.json").write_text(json.dumps(asdict(outcome)))


def kept() -> list[Outcome]:
    """Read what every part ended with when it was last run here, in the order of the parts."""
    files = [LOGS / f"{_file_name(part.name)}.json" for part in PARTS]
    return [Outcome(**json.loads(file.read_text())) for file in files if file.exists()]


def render(outcomes: list[Outcome]) -> list[str]:
    """Return the table, one row a part."""
    rows = ["| part | result | minutes | with | run | last line |", "|---|---|--:|---|---|---|"]
    for outcome in outcomes:
        result = "passed" if outcome.status == 0 else f"**failed ({outcome.status})**"
        said = outcome.said.replace("|", "¦")[:100]
        run = f"{outcome.day} {outcome.revision}"
        rows.append(f"| {outcome.name} | {result} | {outcome.seconds / 60:.1f} | {outcome.sizes} | {run} | {said} |")
    return rows


def write_page(table: list[str]) -> None:
    """Put the tables behind their mark on the page, in the place of the ones before."""
    head = PAGE.read_text().partition(MARK)[0]
    text = [f"{head}{MARK}", "", f"{os.cpu_count()} cores:", "", *table]
    if OUTAGES.exists():
        text += ["", "Each outage that held:", "", OUTAGES.read_text().rstrip()]
    PAGE.write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    sys.exit(main())
