import threading
import time

import pytest
from django.db import OperationalError, connections, transaction

from accounts.models import User
from core.locks import LockOrderError, lock_rows
from core.models import Asset
from wallets.models import ChainState, Deposit


@pytest.mark.django_db
def test_rows_come_in_the_order_of_their_keys():
    for name in ("b", "a", "c"):
        User.objects.create(username=name)
    (users,) = lock_rows(User.objects.order_by("username"))
    assert [user.pk for user in users] == sorted(user.pk for user in users)


@pytest.mark.django_db
def test_tables_out_of_order_or_twice_are_refused():
    lock_rows(ChainState.objects.all(), Deposit.objects.all())
    for wrong in ((Deposit, ChainState), (Deposit, Deposit)):
        with pytest.raises(LockOrderError):
            lock_rows(*(model.objects.all() for model in wrong))


@pytest.mark.django_db
def test_a_table_without_a_place_in_the_order_is_refused():
    with pytest.raises(LockOrderError, match=r"core\.Asset"):
        lock_rows(Asset.objects.all())


def test_outside_a_transaction_nothing_is_locked(committed_db):
    with pytest.raises(LockOrderError):
        lock_rows(User.objects.all())


def _in_thread(work):
    def run():
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.slow
def test_a_held_row_is_waited_for_three_seconds_and_may_be_skipped(committed_db):
    for name in ("a", "b"):
        User.objects.create(username=name)
    held, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            lock_rows(User.objects.filter(username="a"))
            held.set()
            done.wait(20)

    holder = _in_thread(hold)
    try:
        assert held.wait(10)
        with transaction.atomic():
            assert [[user.username for user in rows] for rows in lock_rows(User.objects.all(), skip_locked=True)] == [
                ["b"]
            ]
        began = time.monotonic()
        with pytest.raises(OperationalError, match="lock timeout"), transaction.atomic():
            lock_rows(User.objects.filter(username="a"))
        assert 2.5 < time.monotonic() - began < 6
    finally:
        done.set()
        holder.join()
    with transaction.atomic():
        assert len(lock_rows(User.objects.all())[0]) == 2
