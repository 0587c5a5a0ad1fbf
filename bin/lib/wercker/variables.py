"""The variables a pipeline gets: from the system's environment and a file, and which of their values are secret.

Only `X_NAME` and `XXX_NAME` are passed on, as `NAME`; of `XXX_NAME` the value never appears in a log.
"""

import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wercker.failures import RunnerFailure

LINE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)")
PASSED = re.compile(r"(?P<prefix>XXX|X)_(?P<name>[A-Za-z_][A-Za-z0-9_]*)")
SECRET_NAME = re.compile(r"PASSWORD|PASSPHRASE|SECRET|TOKEN|KEY|PEM_FILE_CONTENT")
PUBLIC_NAME = re.compile(r"_FILE$|PUBLIC|^SSH_HOST_KEY$")
URL_PASSWORD = re.compile(r"://[^/@\s:]*:(?P<password>[^/@\s]+)@")
HARMLESS = "development-only"  # what every secret of the tracked ENVIRONMENT begins with
OTHERS_MAY = 0o077


@dataclass(frozen=True, slots=True)
class Variables:
    """What the steps see (`values`), and the secret values by the name that a log shows instead."""

    values: dict[str, str]
    secrets: dict[str, str]


def read_variables(path: Path) -> dict[str, str]:
    """Return the lines NAME=value of a file as they stand; quotes around a whole value are taken off, nothing else.

    Raises: RunnerFailure naming the line that is neither empty, a comment nor NAME=value, or why nothing can be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        remedy = f"Let your user read it (ls -l {path}), or name another file after --environment."
        raise RunnerFailure(f"{path} cannot be read: {error.strerror}.", remedy) from error
    except UnicodeDecodeError as error:
        raise RunnerFailure(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from error
    found = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if match is None:
            remedy = "Lines are NAME=value, without `export` and without spaces before the `=`."
            raise RunnerFailure(f"{path}, line {number} is not NAME=value.", remedy)
        found[match["name"]] = _unquoted(match["value"])
    return found


def check_target_file(path: Path) -> None:
    """Refuse a file of a target's variables that others may read or that Git tracks. Raises: RunnerFailure."""
    try:
        mode = path.stat().st_mode if path.is_file() else None
    except OSError as error:
        remedy = f"Let your user enter the folder (ls -ld {path.parent}), or name another file after --environment."
        raise RunnerFailure(f"{path} cannot be read: {error.strerror}.", remedy) from error
    if mode is None:
        raise RunnerFailure(
            f"there is no file {path}.", "targets/example.env lists what one holds: copy it, mode 0600."
        )
    if mode & OTHERS_MAY:
        raise RunnerFailure(f"{path} holds secrets and others may read it.", f"chmod 600 {path}")
    command = ["git", "-C", str(path.resolve().parent), "ls-files", "--error-unmatch", "--", path.resolve().name]
    try:
        tracked = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:  # without git nothing is tracked
        tracked = False
    if tracked:
        raise RunnerFailure(
            f"{path} is tracked by Git: a remote run takes its variables from an untracked file.",
            "Copy targets/example.env to targets/NAME.env, which Git ignores, and name that one.",
        )


def collect_variables(system: Mapping[str, str], read: Mapping[str, str]) -> Variables:
    """Return what is passed on: of each name a non-empty value of the system's environment, else the file's.

    The prefix has no say in that; one XXX_ in either place hides the value. Raises: RunnerFailure when the image's tag is
    given under its misspelt name alone.
    """
    values: dict[str, str] = {}
    hidden: set[str] = set()
    for source in (read, system):
        for full in sorted(source, key=lambda name: (name.startswith("XXX_"), name)):
            match = PASSED.fullmatch(full)
            if match is None:
                continue
            name = match["name"]
            if match["prefix"] == "XXX":
                hidden.add(name)
            if source[full] or not values.get(name):  # an empty value takes nothing away
                values[name] = source[full]
    secrets: dict[str, str] = {}
    for name, value in values.items():
        if name in hidden or _is_secret(name, value):
            secrets[name] = value
        elif (url := URL_PASSWORD.search(value)) is not None:
            secrets[name] = url["password"]
    if values.get("DOCKER_IAMGE_TAG") and not values.get("DOCKER_IMAGE_TAG"):
        raise RunnerFailure("DOCKER_IAMGE_TAG is set, DOCKER_IMAGE_TAG is not.", "Spell it DOCKER_IMAGE_TAG.")
    return Variables(values, {name: value for name, value in secrets.items() if value})


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """Replace $NAME and ${NAME}; an unknown name becomes nothing."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda match: values.get(match[1] or match[2], ""), text)


def split_words(text: str, place: str) -> list[str]:
    """Split as a shell would. Raises: RunnerFailure naming the place of a quote that does not end."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise RunnerFailure(
            f"{place} holds a quote that does not end.", "Close it, or write \\' for a bare one."
        ) from error


def _is_secret(name: str, value: str) -> bool:
    return bool(SECRET_NAME.search(name)) and not PUBLIC_NAME.search(name) and not value.startswith(HARMLESS)


def _unquoted(value: str) -> str:
    quotes = ('"', "'")
    if len(value) > 1 and value[0] in quotes and value[-1] == value[0]:
        return value[1:-1]
    return value
