"""`manage.py consolidate ASSET`: join small coins of the house, so that more can be sold and paid in one transaction."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.assets import get_asset
from core.errors import DomainError
from ledger.post import InsufficientFunds
from orders.facts import read_facts
from wallets.paying.consolidate import consolidate


class Command(BaseCommand):
    help = (
        "Join many small coins of an asset into one. Without --yes it only says what it would do. What open orders and "
        "payouts need now stays as it is; the worker of the network has it signed with its next turn."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("asset")
        parser.add_argument("--yes", action="store_true", help="do it")

    def handle(self, *args: Any, asset: str, yes: bool, **options: Any) -> None:
        try:
            found = get_asset(asset.upper())
            side = read_facts().sides.get(found.code)
            keep = side.promised + (side.ceilings.asked if side.ceilings else 0) if side else 0
            join = consolidate(asset=found, keep_minor=keep, at=clock.now(), ask=yes)
        except (DomainError, InsufficientFunds) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(join.describe())
