"""The file ENVIRONMENT lists exactly what the code and the pipelines read from the environment."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources import ROOT, list_sources

LINE = re.compile(r"X_(?P<name>[A-Z0-9_]+)=(?P<value>.*)")


def names_in_environment() -> dict[str, str]:
    found = {}
    for line in (ROOT / "ENVIRONMENT").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            match = LINE.fullmatch(line)
            assert match, f"not X_NAME=value: {line}"
            assert match["name"] not in found, f"twice: {line}"
            found[match["name"]] = match["value"]
    return found


def names_read_in(tree: ast.AST) -> Iterator[str]:
    """Yield NAME of env.str("NAME"), os.environ["NAME"], os.environ.get("NAME"), os.environ.setdefault("NAME", …)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            of_env = isinstance(node.func.value, ast.Name) and node.func.value.id == "env"
            of_os = ast.unparse(node.func.value) == "os.environ" or ast.unparse(node.func) == "os.getenv"
            key = node.args[0]
        elif isinstance(node, ast.Subscript):
            of_env, of_os, key = False, ast.unparse(node.value) == "os.environ", node.slice
        else:
            continue
        if (of_env or of_os) and isinstance(key, ast.Constant):
            yield key.value


def names_read() -> set[str]:
    sources = [path for path in list_sources() if path.parts[0] not in {"tests", "bench", "bin", ".ci"}]
    return {name for path in sources for name in names_read_in(ast.parse((ROOT / path).read_text(encoding="utf-8")))}


def names_of_the_pipelines() -> set[str]:
    """Return the variables of image and monitoring agent that wercker.yml and the scripts of its steps use."""
    files = [ROOT / "wercker.yml", *(ROOT / "bin" / "steps").iterdir()]
    used = {name for file in files for name in re.findall(r"\$\{?([A-Z][A-Z0-9_]+)", file.read_text(encoding="utf-8"))}
    return {name for name in used if name.startswith(("DOCKER_", "NEW_RELIC_"))}


# Made by the pipelines themselves, or a secret that no tracked file has a value for.
NOT_LISTED = {"DOCKER_IAMGE_TAG", "DOCKER_HUB_USER", "DOCKER_HUB_PASSWORD"}
READ_BY_THE_AGENT = {"NEW_RELIC_ENVIRONMENT"}
SET_BY_PYTEST = {"PYTEST_XDIST_WORKER"}


def test_lists_exactly_what_the_code_and_the_pipelines_read():
    of_the_code = names_read() - SET_BY_PYTEST
    assert set(names_in_environment()) == of_the_code | (names_of_the_pipelines() - NOT_LISTED) | READ_BY_THE_AGENT


@pytest.mark.parametrize(
    "code",
    ['env.str("A")', 'env.list("A", default=[])', 'os.environ["A"]', 'os.environ.get("A", "")', 'os.getenv("A")'],
)
def test_sees_every_way_to_read_a_variable(code):
    assert list(names_read_in(ast.parse(code))) == ["A"]


def test_no_value_is_a_secret_of_a_live_site():
    values = names_in_environment()

    secrets = {name: value for name, value in values.items() if re.search("KEY|PASSWORD", name) and value}

    assert all(value.startswith("development-only") for value in secrets.values()), secrets


def test_paths_of_sources_exist():
    assert Path("nexchange/settings.py") in list_sources()
