"""bin/mutate: which faults it makes of a text, and which it does not."""

import pytest
from mutate.mutants import OPERATORS, find_mutants, list_targets
from mutate.operators import RemoveCall

MODULE = '''"""Words, 1 + 1."""
import logging

log = logging.getLogger(__name__)

MOST = 5


def stop(node: int | None, *, limit: int = 200, name: str = "") -> bool:
    log.warning("stopped")
    freeze(node)
    if node < MOST and len(name[:300]) > 0:
        return cursor.fetchone()[0]
    return False
'''


def lines_of(operator: str) -> list[int]:
    return [mutant.line for mutant in find_mutants("orders/any.py", MODULE) if mutant.operator == operator]


@pytest.mark.parametrize(
    ("operator", "lines"),
    [
        ("RemoveCall", [11]),  # not the word to the log in the line before
        ("ReplaceComparisonOperator_Lt_LtE", [12]),
        ("ReplaceComparisonOperator_Lt_GtE", [12]),
        ("ReplaceAndWithOr", [12]),
        ("ReplaceFalseWithTrue", [14]),
        ("NumberReplacer", [6, 6, 12, 12]),  # neither a limit, nor the cut of a text, nor the only column of a row
        ("ReplaceBinaryOperator_BitOr_BitAnd", []),  # an annotation
    ],
)
def test_a_text_gets_these_faults(operator: str, lines: list[int]) -> None:
    assert lines_of(operator) == lines


def test_a_call_left_out_leaves_the_rest_as_it_was() -> None:
    from cosmic_ray.mutating import mutate_code

    for example in RemoveCall.examples():
        assert mutate_code(example.pre_mutation_code, OPERATORS["RemoveCall"], 0) == example.post_mutation_code


def test_the_money_path_is_mutated() -> None:
    targets = set(list_targets())

    assert {"core/money.py", "ticker/aggregate.py", "orders/judge.py", "ledger/post.py"} <= targets
    assert not [path for path in targets if "migrations" in path or path.endswith(("models.py", "fake.py"))]
