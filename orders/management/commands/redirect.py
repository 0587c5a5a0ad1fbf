"""Send a payout that cannot reach its address elsewhere, as the operator."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.errors import DomainError
from orders.reads import find_order
from orders.redirect import send_elsewhere
from wallets.models import Payout
from wallets.payouts import debt_of
from wallets.states import REJECTED, REQUESTED


class Command(BaseCommand):
    help = "List the payouts that cannot be signed, or send one elsewhere: redirect ORDER PAYOUT ADDRESS ADDRESS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("order", nargs="?", help="the order's reference")
        parser.add_argument("payout", nargs="?", type=int, help="the payout's number, from the list")
        parser.add_argument("address", nargs="?", help="where the owner wants it")
        parser.add_argument("address_repeated", nargs="?", help="the same again, as the owner confirmed it")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["order"]:
            self._list()
            return
        order = find_order(options["order"])
        if order is None:
            raise CommandError(f"There is no order {options['order']}. Without arguments: a list.")
        if not all(options[name] for name in ("payout", "address", "address_repeated")):
            raise CommandError("Usage: redirect ORDER PAYOUT ADDRESS ADDRESS (the address twice); without: a list.")
        try:
            payout = send_elsewhere(
                order_reference=order.reference,
                payout_id=options["payout"],
                address=options["address"],
                address_repeated=options["address_repeated"],
                at=clock.now(),
                actor="operator",
            )
        except DomainError as error:
            raise CommandError(f"{error.code}: {error}") from error
        self.stdout.write(f"asked for {payout.purpose}: it is sent with the next round of payouts")

    def _list(self) -> None:
        stuck = Payout.objects.filter(state__in=(REJECTED, REQUESTED)).exclude(problem="").order_by("pk")[:200]
        owners = {payout.owner_ref for payout in stuck}
        latest = {debt_of(p.purpose): p.pk for p in Payout.objects.filter(owner_ref__in=owners).order_by("pk")}
        left = [payout for payout in stuck if latest[debt_of(payout.purpose)] == payout.pk]
        for payout in left:
            self.stdout.write(
                f"{payout.owner_ref}  payout {payout.pk}  {payout.amount_minor} minor {payout.asset_id}  "
                f"{payout.state}  {payout.problem}"
            )
        if not left:
            self.stdout.write("no payout is stuck")
