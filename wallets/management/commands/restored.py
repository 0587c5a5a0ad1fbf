"""Say that the database was restored from a backup."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from core import clock
from wallets.restored import RESTORED, note_restored


class Command(BaseCommand):
    help = "After restoring a backup: freeze payouts and derive new deposit addresses. Then: reconcile --since, freeze --lift."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--backup", default="", help="its name: a backup taken while payouts were frozen counts anew"
        )
        parser.add_argument(
            "--beyond", type=int, default=0, help="the branch of addresses the replaced database was at"
        )

    def handle(self, *args: Any, backup: str, beyond: int, **options: Any) -> None:
        reason = RESTORED + (f": {backup}" if backup else "")
        done = note_restored(reason=reason, at=clock.now(), by="operator", beyond=beyond)
        self.stdout.write("payouts are frozen, new addresses come from a fresh branch" if done else "noted before")
