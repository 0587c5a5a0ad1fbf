"""The list of planted faults fits the code: each place is found once, each test it names exists."""

import pytest
from mutate.planted import Fault, list_faults

from tests.sources import ROOT

FAULTS = list_faults()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_can_be_planted(fault: Fault) -> None:
    assert compile(fault.source(), fault.path, "exec")
    assert fault.source() != (ROOT / fault.path).read_text()
    assert [path for path in fault.tests if not (ROOT / path).exists()] == []


def test_there_are_enough_of_them() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 20
