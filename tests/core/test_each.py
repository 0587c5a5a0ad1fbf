"""core.each: one poisoned row is logged and passed over, the others are served."""

import logging

import pytest

from core.each import for_each


def test_serves_the_rows_behind_a_poisoned_one(caplog: pytest.LogCaptureFixture) -> None:
    served = []

    def act(number):
        if number == 2:
            raise ValueError("poison")
        served.append(number)
        return number != 3

    with caplog.at_level(logging.ERROR):
        done = for_each([1, 2, 3, 4], act)

    assert served == [1, 3, 4]
    assert done == 2
    assert "ValueError: poison" in caplog.text
