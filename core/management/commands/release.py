"""`manage.py release`: the only command that migrates. `--wait` is what web, worker and beat do before they start."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.database_wait import DatabaseSilent, wait_for_database
from core.development_secrets import DevelopmentSecret, refuse_development_secrets
from core.release import OWNER, ReleaseError, run_release, wait_for_release


class Command(BaseCommand):
    help = "Bring the database to what the code expects: migrations, the application's role, rights, fixtures."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--wait", action="store_true", help="only wait until the release has been done")
        parser.add_argument("--seconds", type=int, default=120, help="how long to wait at most")
        parser.add_argument("--database-seconds", type=int, default=0, help="how long the database may take to answer")

    def handle(self, *, wait: bool, seconds: int, database_seconds: int, **_: Any) -> None:
        try:
            refuse_development_secrets()
            wait_for_database("default" if wait else OWNER, wait_s=database_seconds, report=self._report)
            if wait:
                wait_for_release(wait_s=seconds)
            else:
                run_release(wait_s=seconds, report=self._report)
        except (DatabaseSilent, DevelopmentSecret, ReleaseError) as error:
            raise CommandError(str(error)) from error

    def _report(self, line: str) -> None:
        self.stdout.write(f"release: {line}")
