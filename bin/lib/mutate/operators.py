"""Which faults are made: operators of Cosmic Ray, and one of ours that it lacks.

Of its replacements of one operator by each other one, those are taken that a person could have typed: the neighbour at the
edge and the opposite. All of them would be ten times as many, and those left out die with these.
"""

from collections.abc import Iterator
from typing import Any

import parso
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.operators.provider import OperatorProvider

COMPARISONS = (
    *("Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt"),
    *("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is"),
)
ARITHMETIC = (
    "Add_Sub",
    "Sub_Add",
    "Mul_FloorDiv",
    "Div_Mul",
    "FloorDiv_Mul",
    "Mod_FloorDiv",
    "BitOr_BitAnd",
    "BitAnd_BitOr",
)
OTHERS = (
    *("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ExceptionReplacer", "NumberReplacer", "RemoveDecorator"),
    *("ZeroIterationForLoop", "ReplaceUnaryOperator_USub_UAdd", "ReplaceUnaryOperator_Delete_Not"),
)
# A call whose only work is to speak to people.
SPEAKING = ("log.", "logger.", "warnings.")


class RemoveCall(Operator):
    """An operator that leaves out a call made for what it does: an alarm, a freeze, a write."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        if _is_plain_call(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        prefix = node.get_first_leaf().prefix
        return parso.python.tree.Keyword("pass", node.start_pos, prefix)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("stop(1)\n", "pass\n"), Example("a.b(c)[0].d()\n", "pass\n"))


def _is_plain_call(node: Any) -> bool:
    if node.type not in ("atom_expr", "power") or node.parent is None or node.parent.type != "simple_stmt":
        return False
    last = node.children[-1]
    called = last.type == "trailer" and last.children[0].value == "("
    return called and not node.get_code(include_prefix=False).startswith(SPEAKING)


def make_operators() -> dict[str, Operator]:
    """Return one of each operator by its name."""
    provider = OperatorProvider()
    names = [f"ReplaceComparisonOperator_{name}" for name in COMPARISONS]
    names += [f"ReplaceBinaryOperator_{name}" for name in ARITHMETIC]
    made = {name: provider[name]() for name in (*names, *OTHERS)}
    return {**made, "RemoveCall": RemoveCall()}
