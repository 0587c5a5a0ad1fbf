"""orders.states: the tables are complete, and the generated page is not stale."""

import pytest
from django.core.management import call_command

from core.states import IllegalTransition
from orders import states


def test_the_page_is_what_the_tables_say() -> None:
    call_command("states", check=True)


def test_every_state_has_a_face_with_a_number_version_1_knows() -> None:
    assert set(states.FACES) == set(states.ORDER.states)
    assert {face.v1 for face in states.FACES.values()} == {0, 6, 7, 8, 11, 12, 13, 14, 15, 16}


def test_an_illegal_move_raises() -> None:
    with pytest.raises(IllegalTransition):
        states.ORDER.check(states.COMPLETED, states.REFUNDING)
