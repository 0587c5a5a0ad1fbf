"""Only verb modules write to the database: entry points call them, models and reads describe and ask.

A verb module stands directly in a domain app, or in one of its rooms, and is none of the nouns below.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources import ROOT, list_sources

DOMAIN = ("accounts", "ledger", "ticker", "wallets", "payments", "compliance", "referrals", "orders")
PRODUCT = (*DOMAIN, "core", "api", "website", "demo", "nexchange")
NOUNS = {"admin", "apps", "checks", "models", "pricing", "quotes", "reads", "states", "tasks", "urls", "views"}
ROOMS = {"reading", "paying", "safety", "signer"}
# What writes in the kernel: the release, as the owner of the tables before any domain code runs, and the sign of life.
KERNEL = {Path("core/release.py"), Path("core/heartbeat.py")}

CALLS = {"create", "delete", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}
STATEMENT = re.compile(
    r"\s*(WITH\b.*\b)?(INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|TRUNCATE)\b", re.IGNORECASE | re.DOTALL
)


def may_write(path: Path) -> bool:
    """Say whether the module is a verb: its place in the tree decides, not what it does."""
    in_domain = path.parts[0] in DOMAIN and (len(path.parts) == 2 or (len(path.parts) == 3 and path.parts[1] in ROOMS))
    return path in KERNEL or (in_domain and path.stem not in NOUNS)


def writes_in(tree: ast.AST) -> Iterator[str]:
    """Yield line and code of every call that writes rows, and of every statement that does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            # A row is saved, and a QuerySet updated, with keywords alone; a picture is saved to a file, a dict updated
            # from another one. `kwargs` are a field's options.
            keywords_only = not node.args and ast.unparse(node.func.value) != "kwargs"
            of_rows = keywords_only and (name == "save" or (name == "update" and bool(node.keywords)))
            if name in CALLS or of_rows:
                yield f"{node.lineno}: {ast.unparse(node)[:80]}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.match(node.value):
            yield f"{node.lineno}: {node.value.strip()[:80]}"


def readers() -> list[Path]:
    return [path for path in list_sources(*PRODUCT) if "migrations" not in path.parts and not may_write(path)]


@pytest.mark.parametrize("path", readers(), ids=str)
def test_does_not_write(path):
    assert list(writes_in(ast.parse((ROOT / path).read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "code",
    [
        "order.save()",
        "Order.objects.create(x=1)",
        "Order.objects.filter(pk=1).update(state='SENT')",
        "Order.objects.filter(pk=1).delete()",
        "cursor.execute('UPDATE orders_order SET state = 1')",
        "SQL = '''\n    INSERT INTO orders_order VALUES (1)'''",
        "SQL = 'WITH x AS (SELECT 1) DELETE FROM orders_order'",
    ],
)
def test_sees_every_kind_of_write(code):
    assert list(writes_in(ast.parse(code)))


@pytest.mark.parametrize("code", ["picture.save(file, kind='svg')", "kept.update(fresh)", "kwargs.update(null=True)"])
def test_lets_files_and_dictionaries_pass(code):
    assert not list(writes_in(ast.parse(code)))


def test_knows_a_verb_by_its_place():
    assert may_write(Path("orders/open.py"))
    assert may_write(Path("wallets/signer/pay.py"))
    assert not may_write(Path("orders/tasks.py"))
    assert not may_write(Path("wallets/chains/evm.py"))
    assert not may_write(Path("website/order.py"))
    assert not may_write(Path("orders/management/commands/refund.py"))
