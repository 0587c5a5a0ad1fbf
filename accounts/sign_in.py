"""Signing in to the admin site: so many tries of one account and of one network, counted before a password is looked at.

Checking one costs half a second of a processor, whether the account exists or not: who tries too often costs a counter.
A second factor is not here yet; until then passwords are long (settings.AUTH_PASSWORD_VALIDATORS) and sessions short.
"""

import hashlib
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from core import clock
from core.client import client_network
from core.throttle import TooManyRequests, count_up

WINDOW_S = 15 * 60
# Of one network; of one account from anywhere, which is more, so that a stranger who knows a name needs more than one
# network to keep its owner out, and never for longer than a window.
TRIES_OF_NETWORK, TRIES_OF_ACCOUNT = 10, 30

TOO_MANY = _("Too many tries. Wait a quarter of an hour, then try again.")


class SignInForm(AdminAuthenticationForm):
    """Django's own form behind the counters; a try counts whatever becomes of it."""

    def clean(self) -> dict[str, Any]:
        """Refuse before hashing. Raises: ValidationError."""
        if self.request is None:
            raise TypeError("the admin site gives its form the request")
        at_s = int(clock.now().timestamp())
        account = str(self.cleaned_data.get("username", "")).casefold()
        digest = hashlib.sha256(account.encode()).hexdigest()[:32]
        try:
            network = client_network(self.request)
            count_up(who=f"sign-in-from:{network}", at_s=at_s, window_s=WINDOW_S, most=TRIES_OF_NETWORK)
            count_up(who=f"sign-in-as:{digest}", at_s=at_s, window_s=WINDOW_S, most=TRIES_OF_ACCOUNT)
        except TooManyRequests:
            raise ValidationError(TOO_MANY, code="too_many_tries") from None
        cleaned: dict[str, Any] = super().clean()
        return cleaned
