"""The lock protocol: rows are locked in one table order, then by primary key, in one call per transaction.

A fixed order makes deadlocks impossible; the 3 s `lock_timeout` of the connection (settings) bounds every wait.
The ledger's own balance rows are locked last, inside `ledger.post` (docs/ARCHITECTURE.md, "Locks").
"""

from typing import Any

from django.conf import settings
from django.db import models, transaction


class LockOrderError(Exception):
    """Locks were asked for outside a transaction or in the wrong order: a bug."""


def lock_rows(*querysets: models.QuerySet[Any], skip_locked: bool = False) -> list[list[Any]]:
    """Lock the rows of each queryset FOR UPDATE and return them as lists, in the order of LOCK_ORDER then pk.

    With `skip_locked` the rows that somebody else holds are left out: the claim of a batch.

    Raises: LockOrderError outside a transaction, for a model without a place in the order, or for a wrong order;
    django.db.OperationalError when a lock is not had within the connection's lock_timeout.
    """
    if not transaction.get_connection().in_atomic_block:
        raise LockOrderError("lock_rows() outside a transaction")
    places = []
    for queryset in querysets:
        label = queryset.model._meta.label  # noqa: SLF001 -- Django's public _meta
        if label not in settings.LOCK_ORDER:
            raise LockOrderError(f"{label} has no place in LOCK_ORDER")
        places.append(settings.LOCK_ORDER.index(label))
    if places != sorted(set(places)):
        raise LockOrderError("lock_rows() must follow LOCK_ORDER, each table once")
    return [
        list(queryset.order_by("pk").select_for_update(of=("self",), skip_locked=skip_locked)) for queryset in querysets
    ]
