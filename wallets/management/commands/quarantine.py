"""What chains showed and could not be taken in: list it, or close a row that somebody has looked at."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.errors import DomainError
from wallets.reading.quarantine import list_open, resolve


class Command(BaseCommand):
    help = "List what was set aside, oldest first (200 at most), or close one row with --resolve NUMBER --because TEXT."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--chain", default="", help="of one chain alone")
        parser.add_argument("--resolve", type=int, metavar="NUMBER", help="close this row")
        parser.add_argument("--because", help="what was found and done")
        parser.add_argument("--by", default="operator", help="your name, for the record")

    def handle(self, *args: Any, chain: str, resolve: int | None, because: str | None, by: str, **options: Any) -> None:
        if resolve is None:
            self._list(chain)
            return
        if not because:
            raise CommandError("Say with --because what was found and done: it is kept for the record.")
        _resolve(resolve, because, by)
        self.stdout.write(f"{resolve}: resolved")

    def _list(self, chain: str) -> None:
        rows = list_open(chain=chain)
        for row in rows:
            where = f"{row.txid} {row.position}".strip()
            self.stdout.write(f"{row.pk}  {row.at:%Y-%m-%d %H:%M}  {row.chain}  {row.what}  {where}  {row.owner_ref}")
            self.stdout.write(f"    {row.problem}")
            if row.facts:
                self.stdout.write(f"    {row.facts[:300]}")
        if not rows:
            self.stdout.write("nothing is set aside")


def _resolve(number: int, because: str, by: str) -> None:
    try:
        resolve(number=number, because=because, by=by, at=clock.now())
    except DomainError as error:
        raise CommandError(str(error)) from error
