"""Print the trial balance and prove that the books agree with themselves."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.assets import get_asset
from core.money import Money
from ledger.balances import find_imbalances, list_trial_balance


class Command(BaseCommand):
    help = "Print the sum of every kind of account per asset, and fail when the books contradict themselves."

    def handle(self, *args: Any, **options: Any) -> None:
        for line in list_trial_balance():
            self.stdout.write(f"{line.kind:<20} {Money(line.minor, get_asset(line.asset)).format():>32} {line.asset}")
        problems = find_imbalances()
        if problems:
            raise CommandError("The books do not balance:\n" + "\n".join(problems))
        self.stdout.write("balanced")
