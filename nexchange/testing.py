"""Lets `manage.py test` run the one suite: the same script as `bin/test`. Imported only by that command."""

import subprocess
from typing import Any

from django.conf import settings


class PytestRunner:
    """A Django TEST_RUNNER that hands the labels to pytest, which has a database, a Redis and a process of its own."""

    def __init__(self, *, verbosity: int = 1, failfast: bool = False, **_: Any) -> None:
        self.options = (["-x"] if failfast else []) + {0: ["-q"], 1: [], 2: ["-v"], 3: ["-vv"]}[verbosity]

    def run_tests(self, test_labels: list[str], **_: Any) -> int:
        """Run the suite and return 0 or pytest's exit status, which Django turns into its own."""
        command: list[str] = [str(settings.BASE_DIR / "bin" / "test"), "--python-only", *self.options, *test_labels]
        return subprocess.call(command)  # noqa: S603 -- our own script, our own arguments
