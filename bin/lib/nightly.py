"""The parts of bin/nightly as data, and the one table that they end with."""

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "NIGHTLY.md"
LOGS = ROOT / "var" / "nightly"
MARK = "<!-- the table of the last night: written by bin/nightly -->"


@dataclass(frozen=True, slots=True)
class Part:
    """A proof: its command for a whole night and, if it has one, for a sample. `{seed}` and `{hours}` are filled in."""

    name: str
    command: tuple[str, ...]
    sample: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()


PARTS = (
    Part("whole suite", ("bin/test", "--coverage")),
    Part(
        "stopped and killed processes, silent nodes",
        (
            *("bin/test", "--python-only", "tests/flows/test_kill.py", "tests/flows/test_kill_celery.py"),
            *("tests/flows/test_timeouts.py", "tests/flows/test_worker_races.py", "-q"),
        ),
        ("bin/test", "--python-only", "tests/flows/test_kill_simulated.py", "-q"),
    ),
    Part(
        "hostile blocks",
        ("bin/test", "--python-only", "tests/hostile", "-q"),
        ("bin/test", "--python-only", "tests/hostile", "-q"),
        (("HOSTILE_BLOCKS", "500"), ("HOSTILE_OUTPUTS", "2500"), ("HOSTILE_SEED", "{seed}")),
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
    """What a part ended with: its status, how long it took, and the last line it said."""

    name: str
    status: int
    seconds: float
    said: str


def main() -> int:
    """Run the parts one after the other; 1 when one failed."""
    asked = _arguments()
    chosen = [part for part in PARTS if asked.only in (None, part.name)]
    if not chosen:
        sys.exit(f"error: no part is called {asked.only!r}. The parts: {', '.join(part.name for part in PARTS)}.")
    ends = time.monotonic() + asked.hours * 3600
    outcomes = []
    for part in chosen:
        command = part.sample if asked.sample else part.command
        if command:
            left_h = max((ends - time.monotonic()) / 3600, 0.1)
            outcomes.append(_run(part, command, {"seed": str(asked.seed), "hours": f"{left_h:.2f}"}, asked))
    table = render(outcomes)
    print("\n".join(table))
    if not asked.sample and not asked.only:
        write_page(table, asked.seed)
    return int(any(outcome.status for outcome in outcomes))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/nightly", description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    return parser.parse_args()


def _run(part: Part, command: tuple[str, ...], values: dict[str, str], asked: argparse.Namespace) -> Outcome:
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{part.name.replace(' ', '-').replace(',', '')}.log"
    words = [word.format(**values) for word in command]
    extra = {name: value.format(**values) for name, value in part.env if not asked.sample or name.endswith("SEED")}
    print(f"== {part.name}: {' '.join(words)} (all of it in {log.relative_to(ROOT)})", flush=True)
    began = time.monotonic()
    last = ""
    with (
        log.open("w") as file,
        subprocess.Popen(
            words, cwd=ROOT, env={**os.environ, **extra}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        for line in process.stdout or ():
            file.write(line)
            file.flush()
            if line.strip():
                last = line.strip()
                print(f"  {last[:120]}", flush=True)
    return Outcome(part.name, process.returncode, time.monotonic() - began, last)


def render(outcomes: list[Outcome]) -> list[str]:
    """Return the table, one row a part."""
    rows = ["| part | result | minutes | last line |", "|---|---|--:|---|"]
    for outcome in outcomes:
        result = "passed" if outcome.status == 0 else f"**failed ({outcome.status})**"
        said = outcome.said.replace("|", "¦")[:100]
        rows.append(f"| {outcome.name} | {result} | {outcome.seconds / 60:.1f} | {said} |")
    return rows


def write_page(table: list[str], seed: int) -> None:
    """Put the table behind its mark on the page, in the place of the one before."""
    head = PAGE.read_text().partition(MARK)[0]
    revision = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    day = datetime.now(tz=UTC).date()  # noqa: TID251 -- a date on a page
    PAGE.write_text(
        f"{head}{MARK}\n\n{day}, {revision}, seed {seed}, {os.cpu_count()} cores:\n\n" + "\n".join(table) + "\n"
    )


if __name__ == "__main__":
    sys.exit(main())
