"""The pins are complete, and installing them asks no index what else there might be."""

import re
import subprocess
import sys

import pytest

from tests.sources import ROOT

INSTALLERS = ["Dockerfile", "docker/geodjango/Dockerfile", "bin/lib/dependencies.sh", "bin/steps/install-python"]


@pytest.mark.slow
def test_every_package_has_what_it_asks_for():
    done = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", INSTALLERS)
def test_a_version_published_tomorrow_changes_no_installation_of_today(file):
    commands = re.findall(r"-m pip install\b(?:[^\n]*\\\n)*[^\n]*", (ROOT / file).read_text(encoding="utf-8"))

    assert commands
    for command in commands:
        assert "--require-hashes --no-deps -r" in command, command


def test_there_is_no_other_installer():
    command = ["git", "grep", "-lE", "pip install", "--", "*", ":!tests", ":!docs", ":!*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()

    assert sorted(listed) == sorted(INSTALLERS)
