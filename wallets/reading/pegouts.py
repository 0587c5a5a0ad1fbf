"""Payments out of Litecoin's MWEB: seen unmined under the id their owner knows, mined as outputs of the block's carrier.

The two are told to belong together by address and amount alone; an address serves one order, so whom a deposit belongs to
never depends on it, only since when it is known and which id its owner is shown.
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from core.locks import lock_rows
from wallets.chains.protocol import Movement, Tx
from wallets.models import Address, ChainState, Deposit, PegoutSight, Quarantine
from wallets.reading.quarantine import in_savepoint

WRITTEN = 200  # rows in one statement
# A scan that starts so long after one that missed a sight has read every block which that one could not have read yet: a
# scan ends within LONGEST_SCAN_S (wallets.scan) and the time that one node's answer may take.
GONE_AFTER = timedelta(minutes=2)


def store_sights(
    pegouts: Sequence[tuple[Tx, Movement, bool]], addresses: dict[str, Address], *, chain: str, at: datetime
) -> None:
    """Write unmined peg-outs to addresses of ours, each with whether its sight counts; one statement for 200.

    In the caller's transaction, under the chain's row lock. One that was seen before keeps when, and whether it counts; it
    is there again, if it was missing. What cannot be written is set aside, and is a deposit all the same once mined.
    """
    for start in range(0, len(pegouts), WRITTEN):
        part = pegouts[start : start + WRITTEN]
        rows = [
            PegoutSight(
                chain=chain,
                txid=tx.txid,
                position=pegout.position,
                address=addresses[pegout.address],
                amount_minor=pegout.minor,
                first_seen_at=at,
                counts=counts,
            )
            for tx, pegout, counts in part
        ]
        with in_savepoint(chain=chain, what=Quarantine.MOVEMENT, at=at, txid=rows[0].txid, position="peg-out"):
            PegoutSight.objects.bulk_create(
                rows,
                update_conflicts=True,
                unique_fields=("chain", "txid", "position"),
                update_fields=("missing_since", "gone"),
            )


def take_sights(chain: str, carried: Sequence[Deposit]) -> list[tuple[PegoutSight, Deposit]]:
    """Give new deposits that a carrier brought what is known of them since they were unmined: one statement.

    Of several sights of the same amount the earliest is taken first. In the caller's transaction, under the chain's row
    lock; `link_sights` writes the pairs down once the deposits are stored.
    """
    if not carried:
        return []
    waiting = _open(chain).filter(
        address__in={deposit.address_id for deposit in carried},
        amount_minor__in={deposit.amount_minor for deposit in carried},
    )
    queues: dict[tuple[int, int], deque[PegoutSight]] = defaultdict(deque)
    for sight in waiting.order_by("first_seen_at", "pk"):
        queues[sight.address_id, sight.amount_minor].append(sight)
    pairs = []
    for deposit in carried:
        if queue := queues[deposit.address_id, deposit.amount_minor]:
            sight = queue.popleft()
            deposit.first_seen_at, deposit.sight_counts = sight.first_seen_at, sight.counts
            deposit.paid_by_txid = sight.txid
            pairs.append((sight, deposit))
    return pairs


def retake_sights(chain: str, met: Sequence[Deposit]) -> list[tuple[PegoutSight, Deposit]]:
    """Find the released sights of deposits that the same carrier brings again: one statement, none if no peg-out is there."""
    carried = [deposit for deposit in met if deposit.paid_by_txid]
    if not carried:
        return []
    free = PegoutSight.objects.filter(chain=chain, deposit=None, txid__in={deposit.paid_by_txid for deposit in carried})
    queues: dict[tuple[str, int, int], deque[PegoutSight]] = defaultdict(deque)
    for sight in free.order_by("pk"):
        queues[sight.txid, sight.address_id, sight.amount_minor].append(sight)
    return [
        (queue.popleft(), deposit)
        for deposit in carried
        if (queue := queues[deposit.paid_by_txid, deposit.address_id, deposit.amount_minor])
    ]


def link_sights(pairs: Sequence[tuple[PegoutSight, Deposit]]) -> None:
    """Note on the sights which deposits they became: one statement for 200. A deposit that could not be stored has none."""
    stored = [(sight, deposit) for sight, deposit in pairs if deposit.pk is not None]
    for sight, deposit in stored:
        sight.deposit = deposit
    if stored:
        PegoutSight.objects.bulk_update([sight for sight, _ in stored], ("deposit",), batch_size=WRITTEN)


def release_sights(*, chain: str, above: int) -> None:
    """Let the sights of deposits above a height wait again: a carrier of another id may bring them. One statement."""
    PegoutSight.objects.filter(chain=chain, deposit__block_height__gt=above).update(
        deposit=None, missing_since=None, gone=False
    )


def follow_sights(*, chain: str, present: AbstractSet[str], at: datetime) -> None:
    """Compare what waits to be mined with a mempool's ids; call it once every block up to the tip is recorded.

    One statement where nothing changes; else locks the chain's row. A missing one may stand in a block that was mined a
    moment ago; it is `gone` when a scan that started GONE_AFTER later found it neither there nor in a block. Without this
    somebody could show us a payment, spend it otherwise, and have a later one of the same amount taken for it at the old rate.
    """
    missing: list[int] = []
    back: list[int] = []
    gone: list[int] = []
    for pk, txid, since in _open(chain).values_list("pk", "txid", "missing_since").iterator():
        if txid in present:
            if since is not None:
                back.append(pk)
        elif since is None:
            missing.append(pk)
        elif at - since >= GONE_AFTER:
            gone.append(pk)
    if not (missing or back or gone):
        return
    with transaction.atomic():
        lock_rows(ChainState.objects.filter(code=chain))  # a block may be recorded meanwhile
        _open(chain).filter(pk__in=missing).update(missing_since=at)
        _open(chain).filter(pk__in=back).update(missing_since=None)
        _open(chain).filter(pk__in=gone).update(gone=True)


def list_vanished(chain: str, owners: AbstractSet[str], present: AbstractSet[str]) -> set[str]:
    """Return the orders with a peg-out that was seen, is in no block we read and not in the mempool: one statement."""
    unmined = PegoutSight.objects.filter(chain=chain, address__owner_ref__in=owners - {""}, deposit=None)
    return {
        owner for txid, owner in unmined.values_list("txid", "address__owner_ref").iterator() if txid not in present
    }


def _open(chain: str) -> QuerySet[PegoutSight]:
    return PegoutSight.objects.filter(chain=chain, deposit=None, gone=False)
