"""Say whether a kind of work is being done, by its heartbeat."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.heartbeat import limit_s, read_ages


class Command(BaseCommand):
    help = (
        "Succeed when each named work (default, scan:litecoin, pay:ethereum …) was done lately; for containers' checks."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="+", help="names of heartbeats")
        parser.add_argument("--within", type=int, metavar="SECONDS", help="instead of each one's published limit")

    def handle(self, *args: Any, names: list[str], within: int | None, **options: Any) -> None:
        ages = read_ages()
        for name in names:
            try:
                limit = within or limit_s(name)
            except KeyError:
                raise CommandError(f"nobody writes a heartbeat {name!r}") from None
            age = ages.get(name)
            if age is None or age > limit:
                said = "never" if age is None else f"{age:.0f} s ago"
                raise CommandError(f"{name}: done {said}, limit {limit} s")
