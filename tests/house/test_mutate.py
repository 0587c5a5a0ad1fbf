"""bin/mutate: which faults it makes of a text, and which it does not."""

from dataclasses import replace

import pytest
from mutate import records
from mutate.mutants import OPERATORS, find_mutants, list_targets
from mutate.operators import RemoveCall
from mutate.records import Record, Survivor
from mutate.run import Result

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


def test_no_operator_takes_the_star_that_parts_what_is_given_by_name() -> None:
    assert find_mutants("orders/any.py", "def pay(*, amount: int) -> None: ...\n") == []


MOVED = "import os\n\n\n" + MODULE.replace("MOST = 5\n", "MOST = 5\nLEAST = 0\n")


def test_a_fault_is_known_by_its_place_and_words_wherever_its_line_moves() -> None:
    def names(text: str) -> set[str]:
        return {mutant.rank(1) for mutant in find_mutants("orders/any.py", text)}

    before, after = names(MODULE), names(MOVED)

    assert len(before) == len(find_mutants("orders/any.py", MODULE))
    assert before < after
    assert len(after - before) == 2  # those of the new line


def test_the_function_of_a_fault_is_named_with_its_class() -> None:
    text = "class A:\n    LIMIT = 1\n\n    def f(self):\n        def g():\n            return 2\n        return g\n"

    assert {m.function for m in find_mutants("orders/any.py", text)} == {"A", "A.f.g"}


RECORD = Record(
    path="orders/any.py",
    measured="2026-11-28",
    mutants=10,
    run=10,
    killed=9,
    floor=90,
    tests=("tests/house/test_mutate.py::test_the_money_path_is_mutated", "tests/house/test_mutate.py::test_gone"),
    survivors=(Survivor("stop", "NumberReplacer", 'MOST = "5|"', "MOST = 6", "it is only said"),),
)


def test_a_record_says_the_same_when_it_is_read_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(records, "RECORDS", tmp_path)
    RECORD.save()

    assert records.load() == {RECORD.path: RECORD}


def test_a_sample_of_many_modules_teaches_their_tests_and_measures_none(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(records, "RECORDS", tmp_path)
    new = Survivor("stop", "AddNot", "if a:", "if not a:")
    records.learn(None, "orders/other.py", ("tests/a.py::test_b",), [new]).save()
    learnt = records.learn(RECORD, RECORD.path, ("tests/a.py::test_b",), [replace(RECORD.survivors[0], why="")])

    assert (learnt.killed, learnt.floor, learnt.survivors[0].why) == (9, 90, "it is only said")
    assert records.load()["orders/other.py"].survivors == (new,)
    assert not [row for row in records.render(records.load()) if row.startswith("| `orders/other.py` |")]


def test_only_tests_that_are_there_are_run() -> None:
    assert RECORD.existing_tests() == ["tests/house/test_mutate.py::test_the_money_path_is_mutated"]


def test_a_reason_is_kept_and_a_floor_never_falls() -> None:
    again = replace(RECORD, killed=8, floor=0, survivors=())
    known, new = replace(RECORD.survivors[0], why=""), Survivor("stop", "AddNot", "if a:", "if not a:")

    whole = records.merge(RECORD, again, [known, new], whole=True)
    part = records.merge(RECORD, again, [new], whole=False)

    assert {one.after: one.why for one in whole.survivors} == {"MOST = 6": "it is only said", "if not a:": ""}
    assert len(part.survivors) == 2  # a sample does not say that the others are dead
    assert records.merge(RECORD, again, [new], dead={known}, whole=False).survivors == (new,)
    assert records.merge(RECORD, again, [], whole=True).survivors == ()
    assert (whole.floor, records.merge(RECORD, replace(again, killed=10), [], whole=True).floor) == (90, 100)


@pytest.mark.parametrize(
    ("said", "killer"),
    [
        ("FAILED tests/a/test_b.py::test_c[1-x] - assert 1 == 2", "tests/a/test_b.py::test_c"),
        ("ERROR tests/a/test_b.py::test_c - RuntimeError", "tests/a/test_b.py::test_c"),
        ("FAILED tests/a/test_b.py::test_c", "tests/a/test_b.py::test_c"),
        ("ERROR tests/a/test_b.py - SyntaxError", ""),
    ],
)
def test_the_test_that_noticed_is_known_from_what_pytest_said(said, killer) -> None:
    assert Result("a", "killed", 1, f"F\n== short test summary info ==\n{said}\n1 failed\n").killer == killer


def test_every_measured_module_has_its_floor_and_every_survivor_a_reason() -> None:
    known = records.load()

    assert set(known) <= set(list_targets())
    assert [path for path, record in known.items() if record.percent < record.floor] == []
    assert [(path, one) for path, record in known.items() for one in record.survivors if not one.why.strip()] == []


def test_the_page_shows_what_was_measured() -> None:
    assert records.PAGE.read_text() == records.page_text(), "run bin/mutate --page"
