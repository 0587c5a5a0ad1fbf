"""No float near money: not as a literal, a type, a conversion or a column, in any app that handles value."""

import ast
from collections.abc import Iterator

import pytest

from tests.sources import ROOT, list_sources

APPS = ("core", "ledger", "ticker", "wallets", "orders", "api")


def floats_in(tree: ast.AST) -> Iterator[str]:
    """Yield line and code of every float; naming the type to refuse it and sleeping half a second are allowed."""
    allowed = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "isinstance":
                allowed |= {id(inner) for argument in node.args[1:] for inner in ast.walk(argument)}
            elif called == "time.sleep":
                allowed |= {id(argument) for argument in node.args}
    for node in ast.walk(tree):
        literal = isinstance(node, ast.Constant) and isinstance(node.value, (float, complex))
        named = isinstance(node, ast.Name) and node.id == "float"
        column = isinstance(node, ast.Attribute) and node.attr == "FloatField"
        imported = isinstance(node, ast.alias) and node.name == "FloatField"
        if (literal or named or column or imported) and id(node) not in allowed:
            yield f"{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", list_sources(*APPS), ids=str)
def test_has_no_float(path):
    assert list(floats_in(ast.parse((ROOT / path).read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "code",
    [
        "x = 0.1",
        "float('1')",
        "def f(x: float): ...",
        "models.FloatField()",
        "from m import FloatField",
        "map(float, y)",
    ],
)
def test_sees_every_kind_of_float(code):
    assert list(floats_in(ast.parse(code)))


@pytest.mark.parametrize("code", ["isinstance(x, float)", "time.sleep(0.2)", "x = 1"])
def test_lets_refusals_and_pauses_pass(code):
    assert not list(floats_in(ast.parse(code)))
