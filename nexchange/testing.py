"""Lets `manage.py test` run the one suite: pytest. Imported only by that command, never by the running site."""

import subprocess
import sys
from typing import Any


class PytestRunner:
    """A Django TEST_RUNNER that hands the labels to pytest and returns its failures as Django expects."""

    def __init__(self, *, verbosity: int = 1, failfast: bool = False, keepdb: bool = False, **_: Any) -> None:
        self.options = (["-x"] if failfast else []) + (["--reuse-db"] if keepdb else [])
        self.options += {0: ["-q"], 1: [], 2: ["-v"], 3: ["-vv"]}[verbosity]

    @classmethod
    def add_arguments(cls, parser: Any) -> None:
        parser.add_argument("--keepdb", action="store_true", help="keep the test database")

    def run_tests(self, test_labels: list[str], **_: Any) -> int:
        """Run pytest in a process of its own, so that nothing imported so far colours the suite."""
        return subprocess.call([sys.executable, "-m", "pytest", *self.options, *test_labels])  # noqa: S603
