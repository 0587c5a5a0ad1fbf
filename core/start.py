"""What every process of the site does before it works: ask all system checks, and refuse to be what they find wrong."""

import django
from django.conf import settings
from django.core.checks import ERROR, run_checks

from core.development_secrets import DevelopmentSecret, refuse_development_secrets


class UnsafeStart(Exception):
    """The process must not work as it is set up; the message says what, where and what next, and holds no secret."""


def refuse_unsafe_start() -> None:
    """Do nothing for a process that is set up as it should be. Raises: UnsafeStart.

    Django runs its checks in commands alone; gunicorn, the workers and beat are none. No database is asked.
    """
    django.setup()
    if settings.REFUSED_SECRETS and not settings.DB_ROLE:
        raise UnsafeStart(
            "DB_ROLE is not set: on a server each process connects as a role of its own; entrypoint.sh says which."
        )
    try:
        refuse_development_secrets()
    except DevelopmentSecret as error:
        raise UnsafeStart(str(error)) from None
    found = [message for message in run_checks() if message.is_serious(ERROR) and not message.is_silenced()]
    if found:
        raise UnsafeStart("\n".join(f"{one.id}: {one.msg}" + (f" {one.hint}" if one.hint else "") for one in found))
