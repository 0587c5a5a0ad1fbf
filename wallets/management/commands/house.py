"""Book money that a person moved by hand, or that reconciliation found: shows the entry first, posts with --yes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.assets import get_asset
from core.errors import DomainError
from core.money import Money
from wallets.chains.protocol import ChainError
from wallets.node_pool import configured_chains, get_node
from wallets.safety.house import (
    BEARERS,
    KINDS,
    Proposal,
    assign_to_order,
    assign_unidentified,
    book_movement,
    expect_movement,
    reverse_house,
    write_off_reorg,
)
from wallets.scan_state import native_asset


class Command(BaseCommand):
    help = "Sweeps, withdrawals, unidentified receipts and lost deposits in the books. Nothing is posted without --yes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        expect = verbs.add_parser("expect", help="say beforehand that a transaction is ours")
        book = verbs.add_parser("book", help="book a mined sweep or withdrawal")
        for verb in (expect, book):
            verb.add_argument("chain", choices=configured_chains())
            verb.add_argument("txid")
            verb.add_argument("kind", choices=KINDS)
        book.add_argument("--from", dest="bearer", choices=BEARERS, default="capital", help="who bears a withdrawal")
        take = verbs.add_parser("unidentified", help="take unidentified receipts into the capital")
        take.add_argument("asset")
        take.add_argument("amount", help="in whole coins")
        take.add_argument("number", help="a number of yours for this, never used before")
        give = verbs.add_parser("assign", help="make unidentified receipts on an order's address its deposit")
        give.add_argument("chain", choices=configured_chains())
        give.add_argument("txid")
        give.add_argument("order", help="its reference")
        give.add_argument("amount", help="in whole coins")
        lost = verbs.add_parser("write-off", help="let the house bear a deposit that a reorganisation removed")
        lost.add_argument("chain", choices=configured_chains())
        lost.add_argument("deposit", type=int)
        back = verbs.add_parser("reverse", help="take back an entry of this command")
        back.add_argument("reference")
        for verb in (book, take, give, lost, back):
            verb.add_argument("--yes", action="store_true", help="post it")
        for verb in (expect, book):
            verb.add_argument("--by", default="operator", help="your name, for the record")

    def handle(self, *args: Any, verb: str, yes: bool = False, **said: Any) -> None:
        try:
            self.stdout.write(getattr(self, "_" + verb.replace("-", "_"))(yes, **said))
        except (DomainError, ChainError) as error:
            raise CommandError(str(error)) from error

    def _expect(self, _yes: bool, *, chain: str, txid: str, kind: str, by: str, **_: Any) -> str:  # noqa: FBT001
        expect_movement(chain=chain, txid=txid, kind=kind, at=clock.now(), by=by)
        return f"{txid} is expected as a {kind}: send it now, and book it once it is deep enough"

    def _book(self, yes: bool, *, chain: str, txid: str, kind: str, bearer: str, by: str, **_: Any) -> str:  # noqa: FBT001
        node = get_node(chain)
        return _say(book_movement(node=node, txid=txid, kind=kind, bearer=bearer, at=clock.now(), by=by, post=yes))

    def _unidentified(self, yes: bool, *, asset: str, amount: str, number: str, **_: Any) -> str:  # noqa: FBT001
        found = get_asset(asset.upper())
        minor = Money.parse(amount, found, field="amount").minor
        return _say(assign_unidentified(asset=found, minor=minor, number=number, at=clock.now(), post=yes))

    def _assign(self, yes: bool, *, chain: str, txid: str, order: str, amount: str, **_: Any) -> str:  # noqa: FBT001
        node = get_node(chain)
        minor = Money.parse(amount, native_asset(chain), field="amount").minor
        return _say(
            assign_to_order(node=node, txid=txid, owner_ref=order.upper(), minor=minor, at=clock.now(), post=yes)
        )

    def _write_off(self, yes: bool, *, chain: str, deposit: int, **_: Any) -> str:  # noqa: FBT001
        return _say(write_off_reorg(node=get_node(chain), deposit_id=deposit, at=clock.now(), post=yes))

    def _reverse(self, yes: bool, *, reference: str, **_: Any) -> str:  # noqa: FBT001
        return _say(reverse_house(reference=reference, at=clock.now(), post=yes))


def _say(proposal: Proposal) -> str:
    return proposal.describe()
