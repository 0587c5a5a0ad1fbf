"""Look at a payout that went wrong, and close it by what the chain shows, as the operator."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from core import clock
from core.errors import DomainError
from orders.again import pay_again
from wallets import states
from wallets.chains.protocol import ChainError
from wallets.models import Payout
from wallets.node_pool import get_node
from wallets.paying.cases import close_as_paid, look_at, sign_anew


class Command(BaseCommand):
    help = (
        "List payouts that wait or went wrong; with a number show one and what can be done; --again or --paid-by do it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("payout", nargs="?", type=int, help="the payout's number, from the list")
        parser.add_argument("--again", action="store_true", help="ask for it again, where the chain proves it unpaid")
        parser.add_argument("--paid-by", metavar="TXID", help="close it by this transaction, which paid it")
        parser.add_argument("--because", help="why; kept as evidence")
        parser.add_argument("--by", default="operator", help="your name, for the record")

    def handle(self, *args: Any, payout: int | None, **options: Any) -> None:
        if options["again"] and options["paid_by"]:
            raise CommandError("--again says that it was not paid, --paid-by that it was: give one of them.")
        if payout is None:
            if options["again"] or options["paid_by"]:
                raise CommandError("Which payout? Give its number; without arguments: a list.")
            self._list()
            return
        found = Payout.objects.filter(pk=payout).first()
        if found is None:
            raise CommandError(f"There is no payout {payout}. Without a number: a list.")
        try:
            if options["again"] or options["paid_by"]:
                self._act(found, **options)
            else:
                self._show(found)
        except (DomainError, ChainError) as error:
            raise CommandError(f"{getattr(error, 'code', 'node_silent')}: {error}") from error

    def _list(self) -> None:
        wrong = Q(state__in=(states.IN_DOUBT, states.REVERTED)) | ~Q(problem="") & ~Q(state=states.CONFIRMED)
        for found in Payout.objects.filter(wrong).order_by("-pk")[:200]:
            what = f"{found.amount_minor} {found.asset_id}"
            self.stdout.write(f"{found.pk}  {found.purpose}  {what}  {found.state}  {found.problem}")

    def _show(self, found: Payout) -> None:
        case = look_at(payout_id=found.pk, node=get_node(found.chain))
        self.stdout.write(f"{found.purpose}  {found.state}  {found.amount_minor} {found.asset_id} to {found.address}")
        self.stdout.write("\n".join([f"  {found.problem}", *(f"  {line}" for line in case.lines)]))
        for verb, words in case.moves.items():
            self.stdout.write(f"  can: {verb}: {words}")

    def _act(self, found: Payout, *, again: bool, paid_by: str | None, because: str | None, by: str, **_: Any) -> None:
        if not because:
            raise CommandError("Say why with --because: it is kept as evidence.")
        node, at = get_node(found.chain), clock.now()
        if paid_by:
            close_as_paid(payout_id=found.pk, txid=paid_by, node=node, at=at, by=by, because=because)
            self.stdout.write(f"{found.purpose} is paid by {paid_by}")
        elif found.state == states.REVERTED:
            fresh = pay_again(payout_id=found.pk, at=at, actor="operator", by=by, because=because)
            self.stdout.write(f"asked for {fresh.purpose}: it is sent with the next round of payouts")
        else:
            sign_anew(payout_id=found.pk, node=node, at=at, by=by, because=because)
            self.stdout.write(f"{found.purpose} is signed anew with the next round of payouts")
