"""Say that a release is taking the place of another, and when that is over: the deploy's word to who sells."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from core.heartbeat import REPLACING, begin_replacement, end_replacement, limit_s


class Command(BaseCommand):
    help = "Let work be away for the published time while its processes are replaced; --over ends that."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--over", action="store_true", help="the processes work again: their own limits count")

    def handle(self, *args: Any, over: bool, **options: Any) -> None:
        if over:
            end_replacement()
            self.stdout.write("the replacement is over")
        else:
            begin_replacement()
            self.stdout.write(f"work may be away for {limit_s(REPLACING)} s")
