"""What the hook and the box run works in a tree without a .venv of its own: there the programs are elsewhere ($VENV)."""

import re

from tests.sources import ROOT

# bin/lock and the making of the environment itself are for a developer's machine; the others make such a folder to test it.
OWN = {
    *(
        "bin/lock",
        "bin/lib/dependencies.sh",
        "bin/lib/steps.sh",
        "bin/lib/images.sh",
        "bin/steps/settings",
        "bin/lib/wercker/pipelines.py",
    ),
    *("tests/delivery/test_ci.py", "tests/delivery/test_steps.py", "tests/house/test_mounted_tree.py"),
}
NAMED = re.compile(r"(?<!:-)\.venv(/bin|\"? / \"bin)")


def programs() -> list[str]:
    found = [*ROOT.glob("tests/**/*.py"), *(path for path in ROOT.glob("bin/**/*") if path.is_file())]
    return sorted(str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts)


def test_nothing_names_an_environment_of_the_tree() -> None:
    """Take $VENV, or sys.executable in a test."""
    named = [name for name in programs() if NAMED.search((ROOT / name).read_bytes().decode(errors="replace"))]

    assert set(named) - OWN == set()
