"""List the orders that wait for somebody, the most urgent first, with what can be done about each."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from orders import states
from orders.cases import list_orders, read_cases
from orders.moves import next_moves


class Command(BaseCommand):
    help = "List the orders whose next actor is the operator (or --next somebody else), and the moves for each."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--next", default=states.OPERATOR, choices=(states.OPERATOR, states.CUSTOMER, states.MACHINE)
        )

    def handle(self, *args: Any, **options: Any) -> None:
        orders = list_orders(next_actor=options["next"])
        for order, case in zip(orders, read_cases(orders), strict=True):
            until = f"{order.deadline:%Y-%m-%d %H:%M}" if order.deadline else "no deadline"
            trouble = " ".join(word for word in (order.exception, order.hold_reason) if word not in ("", states.NONE))
            self.stdout.write(f"{order.reference}  {order.state}  {trouble or '-'}  until {until}")
            for move in dict.fromkeys(next_moves(case)):
                self.stdout.write(f"    {move.actor}: {move.how}")
        if not orders:
            self.stdout.write(f"no order waits for the {options['next']}")
