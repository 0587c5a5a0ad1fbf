"""`manage.py signer CHAIN`: the process that holds a network's keys and answers its worker over a local socket."""

import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from wallets.signer.keys import SignerRefused, check_keys
from wallets.signer.room import tell_room
from wallets.signer.server import serve


class Command(BaseCommand):
    help = "Sign the payouts of one network for its worker, within the ceilings, until it is told to stop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("chain", choices=settings.CHAINS)

    def handle(self, *args: Any, chain: str, **options: Any) -> None:
        if not settings.SIGNER_SOCKET:
            raise CommandError("SIGNER_SOCKET is not set: where is the worker to find this signer?")
        try:
            check_keys(chain)
        except SignerRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        stopped: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, _frame: stopped.append(got))
        self.stdout.write(f"signer of {chain} at {settings.SIGNER_SOCKET}")
        serve(
            chain=chain,
            path=Path(settings.SIGNER_SOCKET),
            go_on=lambda: not stopped,
            turn=lambda: tell_room(chain),
        )
