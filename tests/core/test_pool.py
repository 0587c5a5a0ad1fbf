"""core.pool: numbers of which nobody else is given the same, some at a time; in a transaction one by one."""

import os
from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from core.pool import Pool
from core.snapshot import forget_all


class Counter:
    """Stands for the database's counter: what was given out is not given out again."""

    def __init__(self) -> None:
        self.next, self.asked = 0, list[int]()

    def load(self, count: int) -> list[int]:
        self.asked.append(count)
        self.next += count
        return list(range(self.next - count, self.next))


@pytest.fixture
def counter(committed_db: None) -> Counter:
    return Counter()


def test_takes_some_at_a_time_and_gives_each_once(counter: Counter) -> None:
    pool = Pool(counter.load, some=3)

    assert [pool.take() for _ in range(7)] == list(range(7))
    assert counter.asked == [3, 3, 3]


def test_what_was_not_used_is_the_next_one(counter: Counter) -> None:
    pool = Pool(counter.load, some=3)
    pool.give_back(pool.take())

    assert [pool.take() for _ in range(3)] == [0, 1, 2]


def test_in_a_transaction_nothing_is_kept(counter: Counter) -> None:
    pool = Pool(counter.load, some=3)
    with transaction.atomic():
        assert connection.in_atomic_block
        pool.give_back(pool.take())
        pool.take()

    assert counter.asked == [1, 1]
    assert pool.take() == 2


def test_a_forked_process_takes_its_own(counter: Counter) -> None:
    pool = Pool(counter.load, some=3)
    pool.take()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, bytes([len(pool._kept)]))
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reading, 1) == b"\0"
    assert len(pool._kept) == 2


def test_all_that_is_kept_can_be_forgotten(counter: Counter) -> None:
    pool = Pool(counter.load, some=3)
    pool.take()
    forget_all()

    assert pool.take() == 3


@pytest.fixture(autouse=True)
def _pools_end() -> Iterator[None]:
    yield
    forget_all()
