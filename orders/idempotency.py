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


def find_replay(request: IdempotencyRequest) -> IdempotencyKey | None:
    """Return the earlier request of this key with its order, or None, holding the key until the transaction ends.

    Two statements. Raises: IdempotencyInProgress (another transaction holds the key), IdempotencyReused (other body).
    """
    digest = hashlib.sha256(f"{request.scope}\n{request.key}".encode()).digest()
    lock_id = int.from_bytes(digest[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock_id])
        if not cursor.fetchone()[0]:
            raise IdempotencyInProgress
    found = (
        IdempotencyKey.objects.select_related("order__send_asset", "order__get_asset", "order__user")
        .filter(scope=request.scope, key=request.key)
        .first()
    )
    if found and found.body_hash != request.body_hash:
        raise IdempotencyReused
    return found
