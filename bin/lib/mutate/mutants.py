"""The mutants of a module: what Cosmic Ray's operators make of its text, without those that no test could tell apart."""

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

from mutate.operators import make_operators

OPERATORS = make_operators()
ROOT = Path(__file__).parents[3]

TARGETS = ("orders/**/*.py", "wallets/**/*.py", "ledger/**/*.py", "core/money.py", "ticker/aggregate.py")
# Declarations, whose truth is in the migrations or on a screen, and what the tests themselves stand on.
NOT_MUTATED = (
    "migrations",
    "management",
    "models.py",
    "admin.py",
    "apps.py",
    "__init__.py",
    "fake.py",
    "fake_rules.py",
)
# What stands in one of these decides how much is done at once, how long a text is or what else a class can do, not money.
IDLE = ("limit", "max_length", "maxsize", "max_age_s", "batch_size", "timeout", "frozen", "slots")
SHORTEST_CUT = 40


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: the `occurrence`-th place of an operator in the file `path` (relative), which begins at `line`.

    `function` is where it stands, empty at the top of the module; `alike` counts the same operator's faults in the same
    words there. Neither moves with the lines, so they say which fault it is after the module has changed elsewhere.
    """

    path: str
    operator: str
    occurrence: int
    line: int
    column: int
    function: str = ""
    words: str = ""
    alike: int = 0

    @property
    def name(self) -> str:
        return f"{self.path}:{self.line}:{self.column} {self.operator}#{self.occurrence}"

    def rank(self, seed: int) -> str:
        """Return a number for a draw: a change of the code elsewhere leaves it, so that it changes few of those drawn."""
        said = (str(seed), self.path, self.function, self.operator, self.words, str(self.alike))
        return hashlib.sha256("\0".join(said).encode()).hexdigest()

    def source(self) -> str:
        """Return the module's text with the fault in it."""
        made = mutate_code((ROOT / self.path).read_text(), OPERATORS[self.operator], self.occurrence)
        if made is None:
            raise RuntimeError(f"{self.name}: the module has changed meanwhile")
        return str(made)

    def shown(self) -> tuple[str, str]:
        """Return the line before and after."""
        before, after = (ROOT / self.path).read_text().splitlines(), self.source().splitlines()
        for old, new in zip(before, after, strict=False):
            if old != new:
                return old.strip(), new.strip()
        return before[self.line - 1].strip(), "(left out)"


def list_targets() -> list[str]:
    """List the modules that are mutated, as paths from the root."""
    found = {path.relative_to(ROOT) for pattern in TARGETS for path in ROOT.glob(pattern)}
    return sorted(str(path) for path in found if not set(path.parts) & set(NOT_MUTATED))


def list_mutants(path: str) -> list[Mutant]:
    """List the mutants of one module, in the order of its text."""
    return find_mutants(path, (ROOT / path).read_text())


def find_mutants(path: str, text: str) -> list[Mutant]:
    """List the mutants of a text that stands, or would stand, at `path`."""
    parsed = ast.parse(text)
    left_out = set(_left_out(parsed))
    functions = _functions(parsed)
    lines = text.splitlines()
    nodes = list(ast_nodes(get_ast(text)))
    mutants = []
    for name, operator in OPERATORS.items():
        alike: Counter[tuple[str, str]] = Counter()
        positions = (position for node in nodes for position in operator.mutation_positions(node))
        for occurrence, ((line, column), _end) in enumerate(positions):
            place = (functions.get(line, ""), lines[line - 1].strip())
            if (line, column) not in left_out and not _is_bare_star(text, line, column):
                mutants.append(Mutant(path, name, occurrence, line, column, *place, alike[place]))
                alike[place] += 1
    return sorted(mutants, key=lambda m: (m.line, m.column, m.operator, m.occurrence))


def _functions(tree: ast.Module) -> dict[int, str]:
    """Return the dotted name of the innermost function or class by the number of each line in one."""
    found: dict[int, str] = {}

    def walk(node: ast.AST, name: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = name
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{name}.{child.name}".lstrip(".")
                first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
                found.update(dict.fromkeys(range(first, (child.end_lineno or first) + 1), inner))
            walk(child, inner)

    walk(tree, "")
    return found


def _left_out(tree: ast.Module) -> Iterator[tuple[int, int]]:
    """Yield the places where a fault would be none: annotations, sizes, what is only shown."""
    for node in ast.walk(tree):
        for part in _idle_parts(node):
            for inner in ast.walk(part):
                if hasattr(inner, "lineno"):
                    yield from _places(inner)


def _places(node: ast.AST) -> Iterator[tuple[int, int]]:
    """Yield where a node begins, and where an operator between two of its parts may stand."""
    line, column = node.lineno, node.col_offset  # type: ignore[attr-defined] -- the caller looked
    yield line, column
    if isinstance(node, ast.BinOp) and node.left.end_lineno == node.right.lineno:
        for between in range(node.left.end_col_offset or 0, node.right.col_offset):
            yield node.right.lineno, between


def _idle_parts(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.FunctionDef):
        if node.name in {"__str__", "__repr__"}:
            yield node
        arguments = node.args
        yield from (a.annotation for a in (*arguments.args, *arguments.kwonlyargs) if a.annotation)
        if node.returns:
            yield node.returns
        named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        yield from (default for argument, default in named if default and argument.arg in IDLE)
    elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        yield node.test
    elif isinstance(node, ast.AnnAssign):
        yield node.annotation
    elif isinstance(node, ast.keyword) and node.arg in IDLE:
        yield node.value
    elif isinstance(node, ast.Subscript) and (_is_cut(node.slice) or _is_only_column(node)):
        yield node.slice


def _is_bare_star(text: str, line: int, column: int) -> bool:
    """Say whether this `*` parts the arguments that are only given by name: in its place an operator is no Python."""
    return text.splitlines()[line - 1][column : column + 2] in ("*,", "*)")


def _is_cut(part: ast.expr) -> bool:
    """Say whether a slice only cuts a text to the length of its column: `[:300]`."""
    if not isinstance(part, ast.Slice) or part.lower is not None or not isinstance(part.upper, ast.Constant):
        return False
    return isinstance(part.upper.value, int) and part.upper.value >= SHORTEST_CUT


def _is_only_column(node: ast.Subscript) -> bool:
    """Say whether this takes the only column of a row of SQL, which is also the last."""
    call = node.value
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "fetchone"
