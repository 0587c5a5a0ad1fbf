"""The product's own Python files, for the tests that read code instead of running it."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


def list_sources(*folders: str) -> list[Path]:
    """Return the paths (from the root) of all Python files, tracked or new, in these folders or everywhere."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *(folders or ("*.py",))]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(Path(name) for name in listed if name.endswith(".py") and (ROOT / name).exists())
