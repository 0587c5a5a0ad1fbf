"""Bearer tokens: made for anonymous owners of orders, read on every API call."""

import secrets
from datetime import datetime

from django.db import connection

from accounts.models import AccessToken, User
from core.pool import Pool
from core.tokens import hash_token, make_token


def make_anonymous_owner(*, nonce: str, at: datetime) -> tuple[User, AccessToken, str]:
    """Make a user without a login, with its number, and its bearer token; neither is written yet. One statement at most.

    The token is a function of `nonce`, so that a repeated request with the same stored nonce is answered alike.
    """
    user = User(pk=_ids.take(), username=f"a{secrets.token_hex(12)}", is_anonymous_owner=True, date_joined=at)
    user.set_unusable_password()
    text = repeat_token(user_id=user.pk, nonce=nonce)
    return user, AccessToken(user=user, token_hash=hash_token(text), nonce=nonce, created_at=at), text


def _take_ids(count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT accounts_take_ids(%s)", [count])
        return [pk for (pk,) in cursor.fetchall()]


_ids = Pool(_take_ids, some=32)


def repeat_token(*, user_id: int, nonce: str) -> str:
    """Make the token of (`user_id`, `nonce`) again, for the replay of the request that first returned it."""
    return make_token("bearer", str(user_id), nonce)


def find_user(token: str) -> User | None:
    """Return whose bearer token this is, or None: an unknown token is anonymous, never an error. One statement."""
    found = (
        AccessToken.objects.select_related("user")
        .filter(token_hash=hash_token(token), revoked_at=None, user__is_active=True)
        .first()
    )
    return found.user if found else None
