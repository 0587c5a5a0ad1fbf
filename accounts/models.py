"""Who: people with a login, and the anonymous owners that the API makes for a first order."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person. An anonymous owner has a random username and an unusable password."""

    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=20, blank=True)
    is_anonymous_owner = models.BooleanField(default=False)

    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.username


class AccessToken(models.Model):
    """A bearer token that acts for all orders of its user. Only the hash is kept; the token is made again from `nonce`."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="access_tokens")
    token_hash = models.CharField(max_length=64, unique=True)
    nonce = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"token {self.pk} of user {self.user_id}"
