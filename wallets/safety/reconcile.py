"""Hold the books against the chain: what our addresses have there must be what the books say, but for what is in flight.

Chain above the books: booked as unidentified, reported, and everything goes on (anyone can send us a satoshi). Chain
below the books: that asset stops. Rows that stand on nothing (wallets.safety.audit) stop it as well. The node is asked at
one height before the transaction; under the chain's lock only our own height is looked at again.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Q, Sum
from django.db.models.functions import Coalesce

from core.heartbeat import beat
from core.locks import lock_rows
from core.models import Asset
from core.money import Money
from ledger.balances import get_balance
from ledger.post import Leg, NewEntry, post_entries, post_entry
from wallets import states
from wallets.addresses import is_derived
from wallets.chains.protocol import Chain
from wallets.freeze import ensure_frozen
from wallets.models import Address, Attempt, ChainState, Coin, Deposit, HouseMovement, Reconciliation
from wallets.safety.audit import Cursors, find_forgeries, not_derived
from wallets.safety.identified import find_identified
from wallets.scan_state import native_asset

log = logging.getLogger(__name__)
_HELD = ("chain:spendable", "chain:reserved", "chain:unswept", "chain:missing")
BELOW = "the chain holds less than the books"
FORGED = "a row stands on nothing"
SLICE = 500  # addresses without a known deposit that one turn looks at
Held = dict[str, int]


class NotScanned(Exception):
    """Our rows and the node are not at the same block: scan first."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`difference` = chain - books - what is in flight; zero when both agree. Amounts at one height.

    `strange`: addresses that hold coins though no deposit to them is known; `forgeries`: rows that stand on nothing.
    """

    chain: str
    height: int
    on_chain: Money
    in_books: Money
    deposits_in_flight: Money  # mined, not yet booked
    payouts_in_flight: Money  # mined, not yet settled or booked, fees included
    difference: Money
    strange: Held = field(default_factory=dict)
    forgeries: tuple[str, ...] = ()

    def describe(self) -> str:
        """Say in a sentence what is wrong, or nothing."""
        said = list(self.forgeries)
        if self.difference.minor < 0:
            said.append(f"{Money(-self.difference.minor, self.difference.asset)} are missing on the chain")
        elif self.difference.minor > 0:
            where = ", ".join(f"{address} holds {minor}" for address, minor in sorted(self.strange.items()))
            said.append(f"{self.difference} belong to nobody we know" + (f": {where}" if where else ""))
        return "; ".join(said)


def reconcile_chain(*, node: Chain, at: datetime, full: bool = True) -> Comparison:
    """Compare, store the result in the asset's row and act on it. Bounded work: a few hundred addresses beside our coins.

    The chain must be scanned to the node's tip; nothing is written while it is not. Safe to repeat. Without `full`, chains
    with outputs are asked for our coins alone, which costs no walk through all unspent outputs of the chain: a coin that
    no scan ever saw is then not found, so a `full` one belongs on a timer.

    Locks the chain's row. Raises: ChainError; NotScanned when blocks are still to be read or arrived meanwhile (try again).
    """
    asset = native_asset(node.code)
    cursors = _read_cursors(asset)
    read = _ask_balances if node.has_nonces or full else _ask_coins
    state, reading = _at_one_height(node, cursors.address, read)
    cursors.address = reading.cursor
    with transaction.atomic():
        ((locked,),) = lock_rows(ChainState.objects.filter(code=node.code))
        if (locked.height, locked.block_hash) != (state.height, state.block_hash):
            raise NotScanned(f"{node.code} moved on from block {state.height} meanwhile")
        forgeries = tuple(dict.fromkeys((*reading.forged, *find_forgeries(chain=node.code, cursors=cursors))))
        result = _compare(node.code, asset, state.height, Money(reading.held, asset), reading.strange, forgeries)
        if identified := find_identified(chain=node.code, missing=-result.difference, at=at):
            post_entries(identified)
            result = _compare(node.code, asset, state.height, Money(reading.held, asset), reading.strange, forgeries)
        acted = _act(result, at)
        _store(result, cursors, acted, at)
    if result.describe():
        log.error("%s: %s", asset.code, result.describe())
    beat(f"reconcile:{asset.code}")
    return result


def _act(result: Comparison, at: datetime) -> str:
    """Do what the difference asks for, in the caller's transaction; say what was done."""
    acted, scope = [], result.difference.asset.code
    if result.difference.minor > 0:
        _book_unidentified(result, at)
        acted.append("booked as unidentified")
    if result.difference.minor < 0:
        ensure_frozen(scope=scope, reason=BELOW, at=at, by="reconcile")
        acted.append(f"{scope} frozen")
    for forgery in result.forgeries:
        ensure_frozen(scope=scope, reason=f"{FORGED}: {forgery}", at=at, by="reconcile")
        acted.append(f"{scope} frozen")
    return ", ".join(dict.fromkeys(acted))


def _store(result: Comparison, cursors: Cursors, acted: str, at: datetime) -> None:
    Reconciliation.objects.update_or_create(
        asset=result.on_chain.asset,
        defaults={
            "at": at,
            "height": result.height,
            "on_chain_minor": result.on_chain.minor,
            "in_books_minor": result.in_books.minor,
            "deposits_in_flight_minor": result.deposits_in_flight.minor,
            "payouts_in_flight_minor": result.payouts_in_flight.minor,
            "difference_minor": result.difference.minor,
            "acted": acted,
            "said": result.describe()[:1000],
            "address_cursor": cursors.address,
            "deposit_cursor": cursors.deposit,
            "payout_cursor": cursors.payout,
        },
    )


def _read_cursors(asset: Asset) -> Cursors:
    row = Reconciliation.objects.filter(asset=asset).first()
    return Cursors(row.address_cursor, row.deposit_cursor, row.payout_cursor) if row else Cursors()


@dataclass(frozen=True, slots=True)
class Reading:
    """What the node said that our addresses hold, how far the walk has come, and the rows that name addresses not ours."""

    held: int
    strange: Held
    cursor: int
    forged: tuple[str, ...] = ()


Reader = Callable[[Chain, int], Reading]


def _at_one_height(node: Chain, cursor: int, read: Reader) -> tuple[ChainState, Reading]:
    """Ask with the node standing where our rows stand, before and after. Raises: ChainError, NotScanned."""
    state, tip = ChainState.objects.filter(code=node.code).first(), node.tip()
    if state is None or (state.height, state.block_hash) != (tip.height, tip.hash):
        where = state.height if state else "nowhere"
        raise NotScanned(f"{node.code} is read up to {where}, the node is at {tip.height}")
    reading = read(node, cursor)
    after = node.tip()
    if (after.height, after.hash) != (tip.height, tip.hash):
        raise NotScanned(f"the node of {node.code} moved on from block {tip.height} meanwhile")
    return state, reading


def _ask_balances(node: Chain, cursor: int) -> Reading:
    """Ask for the balance of the house, of every address that received a deposit, and of the next slice of the others.

    What a row calls ours and our key does not make is told, and not asked for: a stranger's balance is none of ours.
    """
    rows = Address.objects.filter(chain=node.code).order_by("pk")
    used = list(rows.filter(Q(owner_ref="") | Q(deposits__isnull=False)).distinct())
    others = list(rows.filter(deposits__isnull=True, pk__gt=cursor).exclude(owner_ref="")[:SLICE])
    unknown = {row.address for row in others if is_derived(row)}
    held = node.balance(sorted({row.address for row in used if is_derived(row)} | unknown))
    strange = {address: held[address] for address in unknown if held.get(address)}
    forged = tuple(not_derived(row) for row in [*used, *others] if not is_derived(row))
    return Reading(sum(held.values()), strange, others[-1].pk if len(others) == SLICE else 0, forged)


def _ask_coins(node: Chain, cursor: int) -> Reading:
    """Ask which of our own coins are unspent: those we count as such, and deposits that are mined and not yet booked."""
    coins = Coin.objects.filter(chain=node.code, spent_txid="").values_list("txid", "vout")
    fresh = Deposit.objects.filter(chain=node.code, state=states.SEEN, block_height__isnull=False)
    outputs = {(txid, int(position)) for txid, position in fresh.values_list("txid", "position") if position.isdigit()}
    return Reading(sum(node.value_of(sorted(set(coins) | outputs)).values()), {}, cursor)


def _compare(
    chain: str, asset: Asset, height: int, on_chain: Money, strange: Held, forgeries: Sequence[str]
) -> Comparison:
    zero = Money(0, asset)
    in_books = sum((get_balance(kind=kind, asset=asset) for kind in _HELD), zero)
    waiting = Deposit.objects.filter(chain=chain, state=states.SEEN, block_height__isnull=False)
    coming = Money(waiting.aggregate(total=Sum("amount_minor"))["total"] or 0, asset)
    mined = Attempt.objects.filter(chain=chain, block_height__isnull=False).exclude(
        payout__state__in=(states.CONFIRMED, states.REVERTED)
    )
    paid = mined.filter(reverted=False, pays=True).aggregate(total=Sum("payout__amount_minor"))["total"] or 0
    # No block says what its transactions on chains with outputs cost: there the signed bytes do, to the unit.
    fees = mined.aggregate(total=Sum(Coalesce("mined_fee_minor", "fee_minor")))["total"] or 0
    house = HouseMovement.objects.filter(chain=chain, block_height__isnull=False, booked_at=None)
    moved = house.aggregate(total=Sum("left_minor"))["total"] or 0
    going = Money(int(paid) + int(fees) + int(moved), asset)
    return Comparison(
        chain=chain,
        height=height,
        on_chain=on_chain,
        in_books=in_books,
        deposits_in_flight=coming,
        payouts_in_flight=going,
        difference=on_chain - in_books - coming + going,
        strange=strange,
        forgeries=tuple(forgeries),
    )


def _book_unidentified(result: Comparison, at: datetime) -> None:
    found = result.difference
    post_entry(
        NewEntry(
            reference=f"unidentified:{result.chain}:{result.height}:{result.on_chain.minor}",
            reason="unidentified",
            occurred_at=at,
            legs=(Leg("chain:unswept", found), Leg("unidentified", -found)),
        )
    )
