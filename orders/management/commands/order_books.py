"""`manage.py order_books REFERENCE`: what is written about one order; with --json for programs. Changes nothing."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder

from orders.books import OrderBooks, read_books
from orders.reads import find_order


class Command(BaseCommand):
    help = "Show what was promised, received, paid and booked for one order, in minor units."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("reference")
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *, reference: str, **options: Any) -> None:
        order = find_order(reference)
        if order is None:
            raise CommandError(f"there is no order {reference}")
        books = read_books(order)
        if options["json"]:
            self.stdout.write(json.dumps(asdict(books) | {"open_minor": books.open_minor}, cls=DjangoJSONEncoder))
        else:
            self.stdout.write("\n".join(_sentences(books)))


def _sentences(books: OrderBooks) -> list[str]:
    return [
        f"{books.reference} {books.state} {books.exception}",
        f"promised: {books.promised_get_minor} {books.get_asset} for {books.promised_send_minor} {books.send_asset}",
        *(
            f"deposit {deposit.id}: {deposit.minor} {books.send_asset}, booked {deposit.booked_minor}, {deposit.state} "
            f"{deposit.disposition or 'undecided'}, {deposit.txid}"
            for deposit in books.deposits
        ),
        *(
            f"{payout.purpose}: {payout.minor} {payout.asset} to {payout.address}, booked {payout.booked_minor}, "
            f"{payout.state} {payout.txid}"
            for payout in books.payouts
        ),
        *(f"{line.entry}: {line.minor} {line.asset}" for line in books.lines),
        *(f"{asset} open: {minor}" for asset, minor in books.open_minor.items()),
        *(f"{step.at:%Y-%m-%d %H:%M:%S} {step.state} {step.reason} ({step.actor})" for step in books.steps),
    ]
