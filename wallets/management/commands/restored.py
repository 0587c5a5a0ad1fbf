"""Say that the database was restored from a backup."""

from typing import Any

from django.core.management.base import BaseCommand

from core import clock
from wallets.restored import note_restored


class Command(BaseCommand):
    help = "After restoring a backup: freeze payouts and derive new deposit addresses. Then: reconcile --since, freeze --lift."

    def handle(self, *args: Any, **options: Any) -> None:
        done = note_restored(reason="the database was restored from a backup", at=clock.now(), by="operator")
        self.stdout.write("payouts are frozen, new addresses come from a fresh branch" if done else "noted before")
