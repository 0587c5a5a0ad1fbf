"""Free the coins that are promised to an order, as the operator."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.errors import DomainError
from core.money import Money
from orders.models import Promise
from orders.promises import release_promise
from orders.reads import find_order


class Command(BaseCommand):
    help = "List the open promises, the largest first, or free the coins of one: release_promise ORDER."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("order", nargs="?", help="the order's reference")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["order"]:
            self._list()
            return
        order = find_order(options["order"])
        if order is None:
            raise CommandError(f"there is no order {options['order']}")
        try:
            release_promise(reference=order.reference, at=clock.now(), actor="operator")
        except DomainError as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(f"{order.reference}: its coins are free; a payment is exchanged if coins are there then")

    def _list(self) -> None:
        rows = Promise.objects.filter(closed_at=None).select_related("order", "asset").order_by("-amount_minor")[:200]
        for promise in rows:
            until = "decided" if promise.lapses_at is None else f"{promise.lapses_at:%Y-%m-%d %H:%M}"
            self.stdout.write(
                f"{promise.order.reference}  {Money(promise.amount_minor, promise.asset)}  {promise.order.state}  "
                f"{'funded' if promise.funded else 'unfunded'}  until {until}"
            )
        if not rows:
            self.stdout.write("no coins are promised to an order that is not decided")
