import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.states import IllegalTransition, StateTable

TABLE = StateTable("lamp", "OFF", {"OFF": frozenset({"ON"}), "ON": frozenset({"OFF", "BROKEN"}), "BROKEN": frozenset()})


@given(st.sampled_from(TABLE.states), st.sampled_from(TABLE.states))
def test_exactly_the_listed_moves_pass(source, target):
    if (source, target) in {("OFF", "ON"), ("ON", "OFF"), ("ON", "BROKEN")}:
        TABLE.check(source, target)
    else:
        with pytest.raises(IllegalTransition):
            TABLE.check(source, target)


@pytest.mark.parametrize(("source", "target"), [("LOST", "ON"), ("ON", "LOST"), ("", "")])
def test_unknown_states_raise(source, target):
    with pytest.raises(IllegalTransition):
        TABLE.check(source, target)


def test_a_state_without_followers_is_final():
    assert [state for state in TABLE.states if TABLE.is_final(state)] == ["BROKEN"]


def test_a_table_that_names_unknown_states_is_not_made():
    with pytest.raises(ValueError, match="GONE"):
        StateTable("lamp", "OFF", {"OFF": frozenset({"GONE"})})
    with pytest.raises(ValueError, match="ON"):
        StateTable("lamp", "ON", {"OFF": frozenset()})
