"""Close the case of deposits that a reorganisation took away for good, as the operator."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.errors import DomainError
from orders.lost import write_off
from orders.models import Order
from orders.reads import find_order
from orders.states import REORG


class Command(BaseCommand):
    help = "List the orders that lost a deposit to the chain, or close one: write_off ORDER --because REASON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("order", nargs="?", help="the order's reference")
        parser.add_argument("--because", default="", help="how you know that the chain will not have it again")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["order"]:
            self._list()
            return
        order = find_order(options["order"])
        if order is None:
            raise CommandError(f"There is no order {options['order']}. Without arguments: a list.")
        if not options["because"]:
            raise CommandError("Usage: write_off ORDER --because REASON; without: a list.")
        try:
            lost = write_off(
                order_reference=order.reference, at=clock.now(), actor="operator", because=options["because"]
            )
        except DomainError as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(
            f"{order.reference}: written off deposits {lost}; should they come back, they wait for the owner"
        )

    def _list(self) -> None:
        cases = Order.objects.filter(exception=REORG).order_by("deadline", "pk")[:200]
        for order in cases:
            self.stdout.write(f"{order.reference}  {order.state}  next: {order.next_actor}")
        if not cases:
            self.stdout.write("no order misses a deposit")
