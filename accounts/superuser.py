"""Makes the first person who may enter the admin site, from what the operator set; never a second time."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from accounts.models import User


class UnsafeSuperuser(Exception):
    """What was set makes no safe account; the message says why and holds no password."""


def ensure_superuser(*, username: str, email: str, password: str) -> bool:
    """Create the superuser unless somebody has that name already; say whether it was created.

    Safe to repeat at each release: an account that exists is left as it is, also with a password changed since.
    Raises: UnsafeSuperuser when a password is missing or weak; there is no default one.
    """
    if User.objects.filter(username=username).exists():
        return False
    if not password:
        raise UnsafeSuperuser(
            "DJANGO_SUPERUSER_USERNAME is set, DJANGO_SUPERUSER_PASSWORD is not: there is no default."
        )
    try:
        validate_password(password, User(username=username, email=email))
    except ValidationError as error:
        raise UnsafeSuperuser(f"DJANGO_SUPERUSER_PASSWORD: {' '.join(error.messages)}") from error
    User.objects.create_superuser(username=username, email=email, password=password)
    return True
