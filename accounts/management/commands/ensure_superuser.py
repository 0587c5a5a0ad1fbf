"""`manage.py ensure_superuser`: the first superuser from DJANGO_SUPERUSER_*; the role `release` ends with it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.superuser import UnsafeSuperuser, ensure_superuser
from core.environment import Environment

env = Environment()  # the password may come from the file that DJANGO_SUPERUSER_PASSWORD_FILE names


class Command(BaseCommand):
    help = "Create the superuser that DJANGO_SUPERUSER_USERNAME, _EMAIL and _PASSWORD describe, unless it exists."

    def handle(self, **_: Any) -> None:
        username = env.str("DJANGO_SUPERUSER_USERNAME", default="")
        if not username:
            self.stdout.write("superuser: DJANGO_SUPERUSER_USERNAME is not set, none is made")
            return
        try:
            created = ensure_superuser(
                username=username,
                email=env.str("DJANGO_SUPERUSER_EMAIL", default=""),
                password=env.str("DJANGO_SUPERUSER_PASSWORD", default=""),
            )
        except UnsafeSuperuser as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"superuser: {username} {'is made' if created else 'is there already and stays as it is'}")
