"""The same request twice gives the same answer: keys are looked up under a lock and stored with the order they made."""

import hashlib
from dataclasses import dataclass

from django.db import connection
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError
from orders.models import IdempotencyKey


class IdempotencyReused(DomainError):
    code = "idempotency_key_reused"
    message = _("This idempotency key was used before with other contents. Use a new key for a new order.")


class IdempotencyInProgress(DomainError):
    code = "idempotency_in_progress"
    message = _("The first request with this idempotency key is still being answered. Try again in a moment.")


@dataclass(frozen=True, slots=True)
class IdempotencyRequest:
    """`scope` says whose key it is (bearer, session, or the key itself); `body_hash` what was asked for."""

    scope: str
    key: str
    body_hash: str


def hash_body(text: str) -> str:
    """Return the fingerprint of a request's contents, given in a canonical form."""
    return hashlib.sha256(text.encode()).hexdigest()


# The left side is one row always, so the lock is tried exactly once, whether the key is known or not.
_TRY = """
    SELECT pg_try_advisory_xact_lock(%s), k.id, k.body_hash
    FROM (SELECT 1) AS one LEFT JOIN orders_idempotencykey k ON k.scope = %s AND k.key = %s
"""


def lock_of(request: IdempotencyRequest) -> int:
    """Return the number of the advisory lock that one request of a key holds while it is answered."""
    digest = hashlib.sha256(f"{request.scope}\n{request.key}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def find_replay(request: IdempotencyRequest) -> IdempotencyKey | None:
    """Return the earlier request of this key with its order, or None, holding the key until the transaction ends.

    One statement, two for a repetition. The statement sees what was committed before it began, so that a first request
    that ends just then may be missed; the function that writes an order looks again, with the key held.

    Raises: IdempotencyInProgress (another transaction holds the key), IdempotencyReused (other body).
    """
    with connection.cursor() as cursor:
        cursor.execute(_TRY, [lock_of(request), request.scope, request.key])
        locked, found, body_hash = cursor.fetchone()
    if not locked:
        raise IdempotencyInProgress
    if found is None:
        return None
    if body_hash != request.body_hash:
        raise IdempotencyReused
    return IdempotencyKey.objects.select_related("order__send_asset", "order__get_asset", "order__user").get(pk=found)
