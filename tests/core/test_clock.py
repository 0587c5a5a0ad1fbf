from datetime import UTC, datetime

from core.clock import clock_reads, now


def test_now_is_aware_and_in_utc():
    assert now().tzinfo is UTC


def test_the_clock_can_be_held_and_runs_again_afterwards():
    noon = datetime(2020, 1, 1, 12, tzinfo=UTC)
    with clock_reads(lambda: noon):
        assert now() == noon
    assert now() > noon
