"""Stop payouts: of one asset or of all."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.errors import DomainError
from wallets.freeze import ALL, find_open, freeze, list_open, read_scope, unfreeze
from wallets.journal import NEWER, explain_missing
from wallets.models import Freeze
from wallets.restored import RESTORED

OF_RESTORES = (RESTORED, NEWER)


class Command(BaseCommand):
    help = (
        "Freeze payouts (ALL, an asset's code, or from:ASSET). Without a scope: list what is frozen, why, since when and by "
        "whom. --lift lifts one freeze, by its number or by its scope."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("scope", nargs="?", help="ALL, LTC, from:LTC …; with --lift also the number of a freeze")
        parser.add_argument("--because", help="why; when lifting after a restore, name the reconciliation")
        parser.add_argument("--lift", action="store_true", help="let payouts go again")
        parser.add_argument("--by", default="operator", help="your name, for the record")

    def handle(self, *args: Any, scope: str | None, because: str | None, lift: bool, by: str, **options: Any) -> None:
        if scope is None:
            if lift or because:
                raise CommandError(
                    "Which freeze? Give a scope, or the number of one to lift; without arguments: a list."
                )
            self.stdout.write("\n".join(map(describe, list_open())) or "nothing is frozen")
            return
        if not because:
            raise CommandError("Say why with --because: it is kept for the record.")
        try:
            self.stdout.write(self._lift(scope, because, by) if lift else self._freeze(scope, because, by))
        except DomainError as error:
            raise CommandError(str(error)) from error

    def _freeze(self, scope: str, because: str, by: str) -> str:
        row = freeze(scope=read_scope(scope), reason=because, at=clock.now(), by=by)
        return f"{row.scope}: payouts stopped, as number {row.pk}"

    def _lift(self, text: str, because: str, by: str) -> str:
        rows = list_open()
        named = [row for row in rows if text == str(row.pk)]
        # What is frozen can be lifted by its very name, whatever that is.
        scope = named[0].scope if named else text if text in {row.scope for row in rows} else read_scope(text)
        number = named[0].pk if named else None
        # Found before the journal is written to, which cannot be taken back; only what the journal or a restore stopped is
        # explained by lifting it.
        if find_open(scope=scope, number=number).reason.startswith(OF_RESTORES):
            # First, and on disk, before anything may be signed again.
            explained = explain_missing(because=because, at=clock.now())
            self.stdout.write(f"{explained} payments of the journal count as explained; they are never paid again")
        row = unfreeze(scope=scope, number=number, because=because, at=clock.now(), by=by)
        still = [other for other in list_open() if other.scope in (row.scope, ALL)]
        after = "\n".join(map(describe, still))
        return f"{row.scope}: number {row.pk} is lifted" + (
            f"; still frozen by:\n{after}" if still else ", payouts go again"
        )


def describe(row: Freeze) -> str:
    """Say in a line what a freeze stops, why, since when and by whom."""
    return f"{row.pk}  {row.scope}  since {row.frozen_at:%Y-%m-%d %H:%M:%S} UTC by {row.frozen_by}: {row.reason}"
