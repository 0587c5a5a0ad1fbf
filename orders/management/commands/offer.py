"""Say what can be sold now, and if not, why."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from core import clock
from core.errors import DomainError
from core.health import operator_token
from core.heartbeat import is_silent, limit_s
from orders.facts import read_facts
from orders.offer import offer_of
from orders.standing import list_hints, list_troubles
from ticker.catalogue import get_catalogue


class Command(BaseCommand):
    help = "What each pair is offered at, what pauses each asset, how old each heartbeat is against its limit."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--token", action="store_true", help="print the bearer token to which /health/ tells causes"
        )

    def handle(self, *args: Any, token: bool, **options: Any) -> None:
        if token:
            self.stdout.write(operator_token())
            return
        facts, at = read_facts(), clock.now()
        for name, pair in get_catalogue().pairs.items():
            if pair.enabled:
                self.stdout.write(f"{name}: {self._say(pair, facts, at)}")
        for code, found in list_troubles(facts, at=at).items():
            self.stdout.write(f"{code}: " + ("; ".join(found) or "ok"))
        for code, found in list_hints(facts).items():
            self.stdout.writelines(f"{code}: {hint}\n" for hint in found)
        for name, age in sorted(facts.ages.items()):
            late = "LATE" if is_silent(name, facts.ages) else "ok"
            self.stdout.write(f"{name}: {age:.1f} s ago, limit {limit_s(name)} s: {late}")

    def _say(self, pair: Any, facts: Any, at: Any) -> str:
        try:
            offer = offer_of(pair, facts, at=at)
        except DomainError as error:
            return str(error)
        if offer.pauses:
            return "paused"
        return f"from {offer.limits.min_get} to {offer.limits.max_get}" + ("" if offer.open else ": closed")
