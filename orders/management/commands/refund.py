"""Refund a waiting deposit, as the operator."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.errors import DomainError
from orders.reads import find_order
from orders.refund import ask_refund
from wallets.models import Deposit
from wallets.states import WAITING


class Command(BaseCommand):
    help = "List the deposits that wait for a decision, or send one back: refund ORDER DEPOSIT ADDRESS ADDRESS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("order", nargs="?", help="the order's reference")
        parser.add_argument("deposit", nargs="?", type=int, help="the deposit's number, from the list")
        parser.add_argument("address", nargs="?", help="where the owner wants it")
        parser.add_argument("address_repeated", nargs="?", help="the same again, as the owner confirmed it")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["order"]:
            self._list()
            return
        order = find_order(options["order"])
        if order is None:
            raise CommandError(f"There is no order {options['order']}. Without arguments: a list.")
        if not all(options[name] for name in ("deposit", "address", "address_repeated")):
            raise CommandError("Usage: refund ORDER DEPOSIT ADDRESS ADDRESS (the address twice); without: a list.")
        try:
            payout = ask_refund(
                order_reference=order.reference,
                deposit_id=options["deposit"],
                address=options["address"],
                address_repeated=options["address_repeated"],
                at=clock.now(),
                actor="operator",
            )
        except DomainError as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(f"asked for {payout.purpose}: it is sent with the next round of payouts")

    def _list(self) -> None:
        waiting = Deposit.objects.filter(disposition=WAITING).select_related("asset").order_by("deadline", "pk")[:200]
        for deposit in waiting:
            self.stdout.write(
                f"{deposit.owner_ref}  deposit {deposit.pk}  {deposit.amount_minor} minor {deposit.asset_id}  "
                f"{deposit.reason}  next: {deposit.next_actor}  until {deposit.deadline:%Y-%m-%d %H:%M}"
            )
        if not waiting:
            self.stdout.write("no deposit waits for a decision")
