"""The type checker looks at every module of the product, and whoever tells it to look away says why."""

import re
import tomllib

from tests.sources import ROOT

CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())
PRODUCT = CONFIG["tool"]["importlinter"]["root_packages"]
EXCUSED = re.compile(r"# type: ignore\[[a-z, -]+\]  # \w")


def test_every_package_is_checked_strictly() -> None:
    mypy = CONFIG["tool"]["mypy"]

    assert mypy["strict"] is True
    assert sorted(mypy["packages"]) == sorted(PRODUCT)
    assert not [rule for rule in mypy["overrides"] if set(rule) - {"module", "ignore_missing_imports"}]


def test_each_ignored_error_has_its_code_and_its_reason() -> None:
    lines = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for package in PRODUCT
        for file in (ROOT / package).rglob("*.py")
        for line in file.read_text().splitlines()
        if "type: ignore" in line and not EXCUSED.search(line)
    ]

    assert lines == []
