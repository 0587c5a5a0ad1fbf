"""Stop payouts: of one asset or of all."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.errors import DomainError
from wallets.freeze import ALL, freeze, frozen_scopes, read_scope, unfreeze
from wallets.journal import explain_missing


class Command(BaseCommand):
    help = "Freeze payouts (ALL, an asset's code, or from:ASSET), lift a freeze with --lift, or list what is frozen."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("scope", nargs="?", help="ALL, LTC, from:LTC …; nothing: list what is frozen")
        parser.add_argument("--because", help="why; when lifting after a restore, name the reconciliation")
        parser.add_argument("--lift", action="store_true", help="let payouts go again")
        parser.add_argument("--by", default="operator", help="your name, for the record")

    def handle(self, *args: Any, scope: str | None, because: str | None, lift: bool, by: str, **options: Any) -> None:
        if scope is None:
            self.stdout.write("\n".join(sorted(frozen_scopes())) or "nothing is frozen")
            return
        if not because:
            raise CommandError("Say why with --because: it is kept for the record.")
        try:
            # What is frozen can be lifted by its very name, whatever that is; a new freeze must stop something.
            scope = scope if lift and scope in frozen_scopes() else read_scope(scope)
            if lift:
                if scope == ALL and ALL in frozen_scopes():
                    # First, and on disk, before anything may be signed again.
                    explained = explain_missing(because=because, at=clock.now())
                    self.stdout.write(
                        f"{explained} payments of the journal count as explained; they are never paid again"
                    )
                unfreeze(scope=scope, because=because, at=clock.now(), by=by)
            else:
                freeze(scope=scope, reason=because, at=clock.now(), by=by)
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{scope}: payouts {'go again' if lift else 'stopped'}")
