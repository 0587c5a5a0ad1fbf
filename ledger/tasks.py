"""Periodic work on the books; the timetable is in nexchange/celery.py. Safe to run twice, anywhere, at once."""

from typing import Any

from celery import shared_task

from ledger.balances import take_checkpoints


@shared_task
def checkpoint_balances(**_: Any) -> None:
    """Sum the house accounts, so that reading them costs only the postings since."""
    take_checkpoints()
