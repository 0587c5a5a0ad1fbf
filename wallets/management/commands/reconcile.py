"""Compare the books with the nodes, chain by chain."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from wallets.chains.protocol import ChainError
from wallets.journal import missing_from_database
from wallets.node_pool import configured_chains, get_node
from wallets.safety.outgoing_match import match_outgoing
from wallets.safety.reconcile import NotScanned, reconcile_chain
from wallets.scan import find_blindness, scan_chain


class Command(BaseCommand):
    help = "Hold the books against the chains; with --since, also match every outgoing transaction to a payout."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--chain", action="append", help="only this chain; may be given more than once")
        parser.add_argument(
            "--since", type=int, metavar="HEIGHT", help="match outgoing transactions from this block on"
        )

    def handle(self, *args: Any, chain: list[str] | None, since: int | None, **options: Any) -> None:
        at = clock.now()
        unknown = sorted(set(chain or ()) - set(configured_chains()))
        if unknown:
            raise CommandError(f"no node of {', '.join(unknown)}; known: {', '.join(configured_chains())}")
        chains = chain or configured_chains()
        if since is not None and (since < 0 or len(chains) != 1):
            raise CommandError("--since is the height of a block, 0 or more, of one chain: name it with --chain.")
        problems = [f"the database does not know {line['payout']} ({line['txid']})" for line in missing_from_database()]
        for code in chains:
            problems += self._one(code, since, at)
        if problems:
            raise CommandError("\n".join(problems))
        self.stdout.write(f"reconciled at {at.isoformat()}: name this when you unfreeze")

    def _one(self, code: str, since: int | None, at: Any) -> list[str]:
        node = get_node(code)
        self.stdout.write(f"{code}: reading the chain …")
        self.stdout.flush()
        try:
            while scan_chain(node=node, at=at, known_mempool=set()).blocks:
                pass
            result = reconcile_chain(node=node, at=at)
            if since is not None and since > result.height:
                return [f"{code}: --since {since} is above the tip, {result.height}: nothing was matched"]
            node.read_block(node.block_hash(result.height) or node.tip().hash)  # it may have been read by the worker
            strangers = match_outgoing(node=node, since_height=since) if since is not None else []
        except (ChainError, NotScanned) as error:
            return [f"{code}: {error}"]
        self.stdout.write(
            f"{code} at block {result.height}: on chain {result.on_chain}, in the books {result.in_books}, "
            f"deposits in flight {result.deposits_in_flight}, payouts in flight {result.payouts_in_flight}, "
            f"difference {result.difference}"
            + "".join(
                f"\n{address} holds {minor}, and no deposit to it is known" for address, minor in result.strange.items()
            )
        )
        if blindness := find_blindness(node):
            self.stderr.write(f"warning: {blindness}")
        problems = [f"{code}: {txid} left our wallet and no payout explains it" for txid in strangers]
        problems += [f"{code}: {forgery}" for forgery in result.forgeries]
        if result.difference.minor < 0:
            problems.append(f"{code}: the chain holds less than the books; payouts of it are frozen")
        return problems
