"""Money that a person moves by hand, and what reconciliation found, put right in the books.

Each verb first says what entry it would post and posts only when told to. Transactions are read from the node, at payout
depth, before the transaction; each is booked once, whoever asks how often. `expect_movement()` beforehand keeps the scan
from taking it for a theft and reconciliation from missing it; without, it is booked all the same afterwards, and the
freeze that the scan raised is lifted by its number.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from core.assets import confirmations_required
from core.errors import DomainError
from core.locks import lock_rows
from core.models import Asset
from core.money import Money
from ledger.balances import get_balance
from ledger.models import Entry
from ledger.post import Leg, NewEntry, post_entry
from ledger.reverse import mirror_of, reverse_entry
from wallets import states
from wallets.chains.protocol import Chain, Tx
from wallets.models import Address, Attempt, ChainState, Coin, Deposit, HouseMovement
from wallets.safety.house_tx import Moved, weigh
from wallets.scan_state import native_asset

SWEEP, WITHDRAWAL = "sweep", "withdrawal"
KINDS = (SWEEP, WITHDRAWAL)
BY_HAND = "hand"  # the position of a deposit that a person assigned
# Who bears a withdrawal: the operator's capital, or receipts that belong to nobody we know and go back.
BEARERS = ("capital", "unidentified")


class HouseRefused(DomainError):
    code = "house_refused"
    message = "This cannot be booked: %(reason)s."


@dataclass(frozen=True, slots=True)
class Proposal:
    """An entry as it would be posted; `posted` says whether it was. Nothing else happens to the books."""

    entry: NewEntry
    posted: bool

    def describe(self) -> str:
        """Say the entry in lines: its reference, then each leg with debit positive."""
        legs = [
            f"  {leg.kind}{' ' + leg.owner if leg.owner else ''}  {leg.amount}"
            for leg in self.entry.legs
            if leg.amount.minor
        ]
        return "\n".join([f"{self.entry.reference} ({'posted' if self.posted else 'not posted: add --yes'})", *legs])


def expect_movement(*, chain: str, txid: str, kind: str, at: datetime, by: str) -> HouseMovement:
    """Say beforehand that a transaction is ours, so that the scan raises no alarm. Safe to repeat.

    Raises: HouseRefused when a payout of this site has that id, or the kind is another than before.
    """
    _check_kind(kind)
    with transaction.atomic():
        if Attempt.objects.filter(chain=chain, txid=txid).exists():
            raise HouseRefused(reason="this site signed it itself, as a payout")
        row, _ = HouseMovement.objects.get_or_create(
            chain=chain, txid=txid, defaults={"kind": kind, "said_at": at, "said_by": by[:64]}
        )
        if row.kind != kind:
            raise HouseRefused(reason=f"it was announced as a {row.kind}")
        return row


def book_movement(
    *, node: Chain, txid: str, kind: str, at: datetime, by: str, bearer: str = "capital", post: bool = False
) -> Proposal:
    """Book a mined transaction of ours: a sweep (deposit addresses to the house) or a withdrawal. Locks the chain's row.

    Raises: HouseRefused; ChainError.
    """
    _check_kind(kind)
    if bearer not in BEARERS:
        raise HouseRefused(reason=f"{bearer} bears nothing; known: {', '.join(BEARERS)}")
    tx, height = _read_mined(node, txid)
    asset = native_asset(node.code)
    with transaction.atomic():
        ((state,),) = lock_rows(ChainState.objects.filter(code=node.code))
        if state.height < height + confirmations_required(asset) - 1:
            raise HouseRefused(reason=f"block {height} is not read as deep as {confirmations_required(asset)} blocks")
        if Attempt.objects.filter(chain=node.code, txid=tx.txid).exists():
            raise HouseRefused(reason="this site signed it itself, as a payout")
        moved = weigh(chain=node.code, tx=tx)
        entry = _movement_entry(kind, asset, tx.txid, moved, bearer, at)
        if not post:
            return Proposal(entry, posted=False)
        row = expect_movement(chain=node.code, txid=tx.txid, kind=kind, at=at, by=by)
        new = post_entry(entry)
        if new:
            HouseMovement.objects.filter(pk=row.pk).update(booked_at=at, booked_by=by[:64], block_height=height)
        return Proposal(entry, posted=True)


def _movement_entry(kind: str, asset: Asset, txid: str, moved: Moved, bearer: str, at: datetime) -> NewEntry:
    spent, left = moved.from_house + moved.from_deposits, moved.left
    if spent <= 0:
        raise HouseRefused(reason="nothing of ours left by it; what comes in is booked by the scan")
    if not moved.alone:
        raise HouseRefused(reason="inputs of others are in it, so it cannot be told what it cost us")
    if moved.to_customers:
        raise HouseRefused(reason="it pays an order's deposit address: that is a deposit of this order")
    if kind == SWEEP and (left or not moved.from_deposits):
        raise HouseRefused(reason="a sweep goes from deposit addresses to the house alone; this is a withdrawal")
    if kind == WITHDRAWAL and not left:
        raise HouseRefused(reason="nothing left for others; this is a sweep")
    # What the scan has booked as the house's capital on arrival came out of our own addresses: the two cancel.
    borne = Leg(bearer, Money(left, asset))
    return NewEntry(
        reference=f"house:{kind}:{asset.network}:{txid}",
        reason=kind,
        occurred_at=at,
        legs=(
            Leg("chain:spendable", Money(moved.to_house_unbooked - moved.from_house, asset)),
            Leg("chain:unswept", Money(-moved.from_deposits, asset)),
            Leg("expense:network", Money(moved.fee, asset)),
            Leg("capital", Money(moved.to_house_booked, asset)),
            borne,
        ),
    )


def assign_unidentified(*, asset: Asset, minor: int, number: str, at: datetime, post: bool = False) -> Proposal:
    """Take unidentified receipts into the house's capital. `number`: the operator's own, unique, so it is done once.

    Raises: HouseRefused when there is not that much.
    """
    amount = Money(minor, asset)
    with transaction.atomic():
        _lock(asset)
        _refuse_more_than("unidentified", amount, debt=True, reference=(reference := f"house:unidentified:{number}"))
        entry = NewEntry(reference, "unidentified", at, (Leg("unidentified", amount), Leg("capital", -amount)))
        return _done(entry, post=post)


def assign_to_order(
    *, node: Chain, txid: str, owner_ref: str, minor: int, at: datetime, post: bool = False
) -> Proposal:
    """Make unidentified receipts on an order's address a deposit of that order, as the scan would have. Locks the chain's row.

    For chains with accounts, where a payment by a contract may have gone unseen; orders then judge it like any other.
    Raises: HouseRefused; ChainError.
    """
    asset = native_asset(node.code)
    address = Address.objects.filter(chain=node.code, owner_ref=owner_ref).exclude(owner_ref="").first()
    if not node.has_nonces or address is None:
        raise HouseRefused(reason=f"{owner_ref[:40]} has no deposit address on {node.code}, or the chain has outputs")
    found = node.find_tx(txid)
    if found.state != "mined" or found.block_height is None:
        raise HouseRefused(reason=f"the node says of it: {found.state}")
    held = node.balance([address.address])[address.address]
    known = Deposit.objects.filter(address=address).exclude(state=states.REMOVED)
    if held < minor + sum(known.values_list("amount_minor", flat=True)):
        raise HouseRefused(reason=f"{address.address} holds {held}, less than that and what is known of it")
    amount = Money(minor, asset)
    with transaction.atomic():
        ((state,),) = lock_rows(ChainState.objects.filter(code=node.code))
        if state.height < found.block_height + confirmations_required(asset) - 1:
            raise HouseRefused(reason=f"block {found.block_height} is not deep enough")
        if Deposit.objects.filter(chain=node.code, txid=txid, address=address).exists():
            raise HouseRefused(reason="this transaction is a deposit of the order already")
        _refuse_more_than("unidentified", amount, debt=True, reference="")
        legs = (Leg("unidentified", amount), Leg("customer", -amount, owner_ref))
        if not post:
            return Proposal(NewEntry("deposit:…", "deposit", at, legs), posted=False)
        deposit = Deposit.objects.create(
            chain=node.code,
            txid=txid,
            position=BY_HAND,
            asset=asset,
            address=address,
            owner_ref=owner_ref,
            amount_minor=minor,
            state=states.CONFIRMED,
            first_seen_at=at,
            block_height=found.block_height,
            block_hash=found.block_hash or "",
            mined_at=at,
            confirmed_at=at,
        )
        return _done(NewEntry(f"deposit:{deposit.pk}", "deposit", at, legs), post=True)


def write_off_reorg(*, node: Chain, deposit_id: int, at: datetime, post: bool = False) -> Proposal:
    """Let the house bear a deposit that a reorganisation removed for good: the receivable and the missing coins both end.

    The node is asked first: what is mined again or still waits is no loss. Taken back by `reverse_house()`.
    Raises: HouseRefused; ChainError.
    """
    deposit = Deposit.objects.filter(pk=deposit_id, chain=node.code).select_related("asset").first()
    if deposit is None:
        raise HouseRefused(reason=f"there is no deposit {deposit_id} on {node.code}")
    where = node.find_tx(deposit.txid, raw=deposit.raw).state
    if where in ("mined", "mempool"):
        raise HouseRefused(reason=f"the node has its transaction ({where})")
    with transaction.atomic():
        _chains, (locked,) = lock_rows(
            ChainState.objects.filter(code=node.code), Deposit.objects.filter(pk=deposit_id).select_related("asset")
        )
        if locked.state != states.REMOVED or not locked.reorg_count:
            raise HouseRefused(reason=f"it is {locked.state}, not removed by a reorganisation after it was booked")
        loss = f"reorg:{locked.pk}:{locked.reorg_count}"
        if not Entry.objects.filter(reference=loss, reversed_by=None).exists():
            raise HouseRefused(reason="its loss is not in the books")
        if Entry.objects.filter(reference=f"written-off:{locked.pk}:{locked.reorg_count}", reversed_by=None).exists():
            raise HouseRefused(
                reason="its order was not paid out and wrote it off (write_off): the house bears nothing"
            )
        amount = Money(locked.amount_minor, locked.asset)
        held = "chain:unswept" if node.has_nonces else "chain:spendable"
        legs = (
            Leg("receivable:reorg", -amount),
            Leg("capital", amount),
            Leg("chain:missing", amount),
            Leg(held, -amount),
        )
        return _done(NewEntry(f"house:writeoff:{loss}", "written off", at, legs), post=post)


def reverse_house(*, reference: str, at: datetime, post: bool = False) -> Proposal:
    """Take back an entry of these verbs by its mirror image. Raises: HouseRefused; InsufficientFunds."""
    if not reference.startswith("house:") or not Entry.objects.filter(reference=reference).exists():
        raise HouseRefused(reason=f"{reference[:120]} is no entry of the house")
    mirrored = mirror_of(reference=reference, reason="reversed by hand", at=at)
    if not post:
        return Proposal(mirrored, posted=False)
    with transaction.atomic():
        reverse_entry(reference=reference, reason="reversed by hand", at=at)
    return Proposal(mirrored, posted=True)


def note_mined(*, chain: str, txs: dict[str, Tx], height: int) -> set[str]:
    """Note which announced movements a block holds, what they weigh and which coins come back; return their ids.

    In wallets.record's transaction, so that between block and booking reconciliation counts them as in flight.
    """
    rows = list(HouseMovement.objects.filter(chain=chain, txid__in=list(txs)))
    for row in rows:
        tx = txs[row.txid]
        moved = weigh(chain=chain, tx=tx)
        row.block_height, row.left_minor = height, moved.left + moved.fee
        row.save(update_fields=("block_height", "left_minor"))
        Coin.objects.bulk_create(
            [
                Coin(chain=chain, txid=tx.txid, vout=int(m.position), address=a, amount_minor=m.minor)
                for m, a in moved.change
            ],
            ignore_conflicts=True,
        )
    return {row.txid for row in rows}


def forget_mined(*, chain: str, above: int) -> None:
    """Undo `note_mined` for blocks that are gone; what was booked is deeper than any that may go."""
    rows = HouseMovement.objects.filter(chain=chain, block_height__gt=above, booked_at=None)
    Coin.objects.filter(chain=chain, txid__in=rows.values("txid")).update(usable=False)
    rows.update(block_height=None, left_minor=None)


def list_announced(*, chain: str, txids: set[str]) -> set[str]:
    """Return those of the transactions that are movements of the house, announced or booked. One statement."""
    return set(HouseMovement.objects.filter(chain=chain, txid__in=txids).values_list("txid", flat=True))


def _read_mined(node: Chain, txid: str) -> tuple[Tx, int]:
    found = node.find_tx(txid)
    if found.state != "mined" or not found.block_hash or found.block_height is None:
        raise HouseRefused(reason=f"the node says of it: {found.state}")
    block = node.read_block(found.block_hash)
    tx = next((tx for tx in block.txs if tx.txid == txid), None)
    if tx is None:
        raise HouseRefused(reason="its block does not hold it")
    return tx, found.block_height


def _done(entry: NewEntry, *, post: bool) -> Proposal:
    if post:
        post_entry(entry)
    return Proposal(entry, posted=post)


def _lock(asset: Asset) -> None:
    lock_rows(ChainState.objects.filter(code=asset.network))


def _refuse_more_than(kind: str, amount: Money, *, debt: bool, reference: str) -> None:
    """Refuse what the account does not have; a repetition is answered by the ledger itself."""
    if amount.minor <= 0:
        raise HouseRefused(reason="the amount must be more than nothing")
    held = get_balance(kind=kind, asset=amount.asset)
    there = -held if debt else held
    if amount > there and not Entry.objects.filter(reference=reference).exists():
        raise HouseRefused(reason=f"{kind} holds {there}")


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise HouseRefused(reason=f"{kind} is no kind of movement; known: {', '.join(KINDS)}")
