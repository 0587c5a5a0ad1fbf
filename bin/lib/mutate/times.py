"""A pytest plugin that writes how long each test took and which failed, for mutate.covered."""

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

seconds: dict[str, float] = defaultdict(float)
failed: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    seconds[report.nodeid] += report.duration
    if report.failed or report.skipped:
        failed.add(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not os.environ.get("PYTEST_XDIST_WORKER"):
        said = {"seconds": {name: round(spent, 3) for name, spent in seconds.items()}, "failed": sorted(failed)}
        Path(os.environ["MUTATE_TIMES"]).write_text(json.dumps(said))
