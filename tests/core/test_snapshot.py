import threading

import pytest

from core import snapshot
from core.snapshot import Snapshot


@pytest.fixture
def seconds(monkeypatch):
    """A monotonic clock in seconds that the test turns by hand."""
    reads = [1000]
    monkeypatch.setattr(snapshot.time, "monotonic_ns", lambda: int(reads[0] * 10**9))
    return reads


def _counting():
    loads = []

    def load():
        loads.append(None)
        return len(loads)

    return load


def test_the_age_is_checked_at_every_use(seconds):
    kept = Snapshot(_counting(), max_age_s=1)
    assert kept.get() == kept.get() == 1
    seconds[0] += 0.999
    assert kept.get() == 1
    seconds[0] += 0.001
    assert kept.get() == 2


def test_the_age_counts_from_before_the_load(seconds):
    def slow():
        seconds[0] += 0.9
        return seconds[0]

    kept = Snapshot(slow, max_age_s=1)
    first = kept.get()
    seconds[0] += 0.2
    assert kept.get() > first


def test_a_failing_load_raises_and_serves_nothing_old(seconds):
    answers = iter([1, RuntimeError("database away"), 3])

    def load():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    kept = Snapshot(load, max_age_s=1)
    assert kept.get() == 1
    seconds[0] += 2
    with pytest.raises(RuntimeError):
        kept.get()
    assert kept.get() == 3


def test_forget_loads_again_at_once(seconds):
    kept = Snapshot(_counting())
    assert kept.get() == 1
    kept.forget()
    assert kept.get() == 2


def test_threads_that_come_together_load_once():
    together = threading.Barrier(8)
    load = _counting()
    kept = Snapshot(load, max_age_s=60)
    seen = []

    def ask():
        together.wait(5)
        seen.append(kept.get())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 8
