"""Bearer tokens: made for anonymous owners of orders, read on every API call."""

import secrets
from datetime import datetime

from accounts.models import AccessToken, User
from core.tokens import hash_token, make_token


def create_anonymous_owner(*, nonce: str, at: datetime) -> tuple[User, str]:
    """Create a user without a login and its bearer token; three statements, inside the caller's transaction.

    The token is a function of `nonce`, so that a repeated request with the same stored nonce is answered alike.
    """
    user = User(username=f"a{secrets.token_hex(12)}", is_anonymous_owner=True, date_joined=at)
    user.set_unusable_password()
    user.save(force_insert=True)
    return user, issue_token(user=user, nonce=nonce, at=at)


def issue_token(*, user: User, nonce: str, at: datetime) -> str:
    """Store a new bearer token of `user` and return it; it cannot be read back from the database."""
    token = make_token("bearer", str(user.pk), nonce)
    AccessToken.objects.create(user=user, token_hash=hash_token(token), nonce=nonce, created_at=at)
    return token


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
