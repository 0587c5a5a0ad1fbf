"""`manage.py approve_payout ID --because TEXT`: let one payout over the ceilings, on the host of its signer."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.clock import now
from core.database_roles import chain_of
from core.money import Money
from wallets.models import Payout
from wallets.signer import journal
from wallets.states import REQUESTED


class Command(BaseCommand):
    help = (
        "Approve one payout that waits for a person, as it stands now: purpose, address and amount. Written to the signer's "
        "journal, so it has to run where that lies: in the signer's container."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("payout", type=int, help="its number, as the admin site and the problem show it")
        parser.add_argument("--revoke", action="store_true", help="take an approval back that was not used yet")
        parser.add_argument("--because", required=True, help="why, in words; kept for ever")

    def handle(self, *args: Any, payout: int, because: str, revoke: bool, **options: Any) -> None:
        found = Payout.objects.filter(pk=payout).select_related("asset").first()
        if found is None:
            raise CommandError(f"there is no payout {payout}; `payout` lists what waits")
        if found.state != REQUESTED:
            raise CommandError(
                f"payout {payout} is {found.state}: only what waits for its first signature needs approval"
            )
        if chain_of(settings.DB_ROLE) not in ("", found.chain):
            raise CommandError(
                f"payout {payout} is of {found.chain}, and this is {settings.DB_ROLE}, whose journal its signer never reads: "
                f"run this in signer_{found.chain}"
            )
        line = journal.Line(
            at=now(),
            what=journal.REVOKED if revoke else journal.APPROVED,
            payout=found.pk,
            purpose=found.purpose,
            address=found.address,
            minor=found.amount_minor + found.fee_cap_minor,
            because=because,
        )
        try:
            journal.append(found.chain, line)
        except OSError as error:
            raise CommandError(
                f"{journal.path_of(found.chain)} cannot be written: {error.strerror}. With signers in containers, run this "
                f"in signer_{found.chain}"
            ) from error
        if revoke:
            self.stdout.write(f"taken back in {journal.path_of(found.chain)}: {found.purpose} waits for a person again")
            return
        self.stdout.write(
            f"approved in {journal.path_of(found.chain)}: {found.purpose}, to {found.address}, "
            f"{Money(line.minor, found.asset)} at most; it is tried again with the next rounds"
        )
