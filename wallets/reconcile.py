"""Hold the books against the chain: what our addresses have there must be what the books say, but for what is in flight.

Chain above the books: booked as unidentified, reported, and everything goes on (anyone can send us a satoshi). Chain
below the books: that asset stops.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F, Sum

from core.models import Asset
from core.money import Money
from ledger.balances import get_balance
from ledger.post import Leg, NewEntry, post_entry
from wallets import states
from wallets.chains.protocol import Chain
from wallets.freeze import freeze
from wallets.models import Address, Attempt, ChainState, Deposit
from wallets.scan_state import native_asset

_HELD = ("chain:spendable", "chain:reserved", "chain:unswept", "chain:missing")


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """`difference` = chain - books - what is in flight; zero when both agree. Amounts at one height."""

    chain: str
    height: int
    on_chain: Money
    in_books: Money
    deposits_in_flight: Money  # mined, not yet booked
    payouts_in_flight: Money  # mined, not yet settled, fees included
    difference: Money


def reconcile_chain(*, node: Chain, at: datetime) -> Reconciliation:
    """Compare and act on the difference. The chain must be scanned to the node's tip; nothing is written while it is not.

    Raises: ChainError; NotScanned when blocks are still to be read or arrived meanwhile (try again).
    """
    asset = native_asset(node.code)
    height = _scanned_height(node)
    on_chain = Money(sum(node.balance(_our_addresses(node.code)).values()), asset)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT height FROM wallets_chainstate WHERE code = %s FOR UPDATE", [node.code])
        if cursor.fetchone()[0] != height or node.tip().height != height:
            raise NotScanned(f"{node.code} moved on from block {height} meanwhile")
        result = _compare(node.code, asset, height, on_chain)
        if result.difference.minor > 0:
            _book_unidentified(result, at)
    if result.difference.minor < 0:
        missing = Money(-result.difference.minor, asset)
        freeze(scope=asset.code, reason=f"the chain holds {missing} less than the books", at=at, by="reconcile")
    return result


class NotScanned(Exception):
    """Our rows and the node are not at the same block: scan first."""


def _scanned_height(node: Chain) -> int:
    state = ChainState.objects.filter(code=node.code).first()
    tip = node.tip()
    if state is None or state.height != tip.height or state.block_hash != tip.hash:
        raise NotScanned(
            f"{node.code} is read up to {state.height if state else 'nowhere'}, the node is at {tip.height}"
        )
    return state.height


def _our_addresses(chain: str) -> list[str]:
    """List the addresses that may hold coins: the house's and those that ever received a deposit."""
    house = Address.objects.filter(chain=chain, owner_ref="")
    used = Address.objects.filter(chain=chain, deposits__isnull=False)
    return sorted(set(house.values_list("address", flat=True)) | set(used.values_list("address", flat=True)))


def _compare(chain: str, asset: Asset, height: int, on_chain: Money) -> Reconciliation:
    zero = Money(0, asset)
    in_books = sum((get_balance(kind=kind, asset=asset) for kind in _HELD), zero)
    waiting = Deposit.objects.filter(chain=chain, state=states.SEEN, block_height__isnull=False)
    coming = Money(waiting.aggregate(total=Sum("amount_minor"))["total"] or 0, asset)
    mined = Attempt.objects.filter(chain=chain, block_height__isnull=False).exclude(
        payout__state__in=(states.CONFIRMED, states.REVERTED)
    )
    paid = mined.filter(reverted=False).aggregate(total=Sum("payout__amount_minor"))["total"] or 0
    fees = mined.aggregate(total=Sum(F("mined_fee_minor")))["total"] or 0
    going = Money(int(paid) + int(fees), asset)
    return Reconciliation(
        chain=chain,
        height=height,
        on_chain=on_chain,
        in_books=in_books,
        deposits_in_flight=coming,
        payouts_in_flight=going,
        difference=on_chain - in_books - coming + going,
    )


def _book_unidentified(result: Reconciliation, at: datetime) -> None:
    found = result.difference
    post_entry(
        NewEntry(
            reference=f"unidentified:{result.chain}:{result.height}:{result.on_chain.minor}",
            reason="unidentified",
            occurred_at=at,
            legs=(Leg("chain:unswept", found), Leg("unidentified", -found)),
        )
    )


def match_outgoing(*, node: Chain, since_height: int) -> list[str]:
    """Read the chain from a height and return every outgoing transaction of ours that no intent explains.

    Needed after a restore: what the journal or the chain knows and the database does not must be understood by a person
    before payouts are unfrozen. Progress is the caller's to show; costs one node call per block.
    """
    ours = set(Address.objects.filter(chain=node.code, owner_ref="").values_list("address", flat=True))
    strangers = []
    tip = node.tip().height
    for height in range(max(since_height, 0), tip + 1):
        block_hash = node.block_hash(height)
        if block_hash is None:
            break
        for tx in node.read_block(block_hash).txs:
            change_to_us = bool(tx.spends) and any(m.address in ours for m in tx.movements)
            if (tx.sender in ours or (change_to_us and _spends_ours(node.code, tx.spends))) and not _known(
                node, tx.txid
            ):
                strangers.append(tx.txid)
    return strangers


def _known(node: Chain, txid: str) -> bool:
    return Attempt.objects.filter(chain=node.code, txid=txid).exists()


def _spends_ours(chain: str, spends: tuple[tuple[str, int], ...]) -> bool:
    txids = [txid for txid, _ in spends]
    return (
        Deposit.objects.filter(chain=chain, txid__in=txids).exists()
        or Attempt.objects.filter(chain=chain, txid__in=txids).exists()
    )
