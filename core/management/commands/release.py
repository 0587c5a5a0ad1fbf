"""`manage.py release`: the only command that migrates. `--wait` is what web, worker and beat do before they start."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.release import ReleaseError, run_release, wait_for_release


class Command(BaseCommand):
    help = "Bring the database to what the code expects: migrations, the application's role, rights, fixtures."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--wait", action="store_true", help="only wait until the release has been done")
        parser.add_argument("--seconds", type=int, default=120, help="how long to wait at most")

    def handle(self, *, wait: bool, seconds: int, **_: Any) -> None:
        try:
            if wait:
                wait_for_release(wait_s=seconds)
            else:
                run_release(wait_s=seconds, report=lambda line: self.stdout.write(f"release: {line}"))
        except ReleaseError as error:
            raise CommandError(str(error)) from error
