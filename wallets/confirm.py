"""What becomes final when a chain grows: deposits deep enough to count, payouts deep enough to be over.

Called by wallets.record inside its transaction; returns the ledger entries, which it posts last.
"""

from datetime import datetime

from django.db.models import Value
from django.db.models.functions import Coalesce

from core.assets import confirmations_required
from core.models import Asset
from core.money import Money
from ledger.post import NewEntry, post_entries
from ledger.reserve import settle_entry
from ledger.reverse import reverse_entry
from wallets import states
from wallets.addresses import is_derived
from wallets.deposits import deposit_entry
from wallets.models import Attempt, Coin, Deposit, Quarantine
from wallets.purposes import joins_coins
from wallets.reading.match import WRITTEN
from wallets.reading.quarantine import in_savepoint

REVERTED = "reverted: the chain took the fee and moved nothing; the debt can be asked for again"
NONCE_USED_UP = "nonce_used_up: at its fee cap it held up the lane, so its nonce was used for nothing; asked for again"


def confirm_deposits(
    *, chain: str, asset: Asset, height: int, block_at: datetime, at: datetime, careful: bool = False
) -> list[NewEntry]:
    """Confirm the deposits that this block made deep enough. The block's own time counts, not when we came to read it.

    With `careful` each one, entry included, is written in a savepoint, and one that fails is set aside and stays SEEN.
    """
    deep = height - confirmations_required(asset) + 1
    due = Deposit.objects.filter(chain=chain, state=states.SEEN, block_height__lte=deep).defer("raw")
    due = due.select_related("address", "asset").order_by("pk")
    confirmed_at = min(at, block_at)
    entries: list[NewEntry] = []
    last = 0
    while rows := list(due.filter(pk__gt=last)[:WRITTEN]):
        last = rows[-1].pk
        if not careful:
            entries += _confirm(rows, confirmed_at, at)
            continue
        for row in rows:
            with in_savepoint(chain=chain, what=Quarantine.OWN, at=at, txid=row.txid, position=f"deposit {row.pk}"):
                post_entries(_confirm([row], confirmed_at, at))
    return entries


def _confirm(rows: list[Deposit], confirmed_at: datetime, at: datetime) -> list[NewEntry]:
    """Confirm deposits that are locked with their chain; two statements and those of what was mined again."""
    entries, coins = [], []
    for deposit in rows:
        states.DEPOSIT.check(deposit.state, states.CONFIRMED)
        if deposit.reorg_count:
            # Mined again: the entry that booked its disappearance is taken back, the deposit itself stands.
            reverse_entry(reference=f"reorg:{deposit.pk}:{deposit.reorg_count}", reason="mined again", at=at)
            Coin.objects.filter(deposit=deposit).update(usable=is_derived(deposit.address))
            continue
        entries.append(deposit_entry(deposit, at=at))
        if deposit.position.isdigit():
            coins.append(_coin(deposit))
    Deposit.objects.filter(pk__in=[deposit.pk for deposit in rows]).update(
        state=states.CONFIRMED, news=True, confirmed_at=Coalesce("confirmed_at", Value(confirmed_at))
    )
    Coin.objects.bulk_create(coins, ignore_conflicts=True)
    return entries


def _coin(deposit: Deposit) -> Coin:
    return Coin(
        chain=deposit.chain,
        txid=deposit.txid,
        vout=int(deposit.position),
        address=deposit.address,
        amount_minor=deposit.amount_minor,
        deposit=deposit,
        usable=is_derived(deposit.address),  # signed with another's coin, a payout could neither be mined nor die
    )


def confirm_payouts(*, chain: str, asset: Asset, height: int, at: datetime, careful: bool = False) -> list[NewEntry]:
    """Confirm the payouts whose mined attempt is deep enough now, and settle their reservations; `careful` as above."""
    deep = height - confirmations_required(asset) + 1
    due = (
        Attempt.objects.filter(chain=chain, block_height__lte=deep)
        .filter(payout__state__in=(states.SIGNED, states.BROADCAST, states.IN_DOUBT))
        .select_related("payout__asset")
        .order_by("pk")
    )
    if not careful:
        return [entry for attempt in due for entry in _confirm_payout(attempt, at)]
    for attempt in due:
        named = f"payout {attempt.payout.purpose}"
        with in_savepoint(chain=chain, what=Quarantine.OWN, at=at, txid=attempt.txid, position=named):
            post_entries(_confirm_payout(attempt, at))
    return []


def _confirm_payout(attempt: Attempt, at: datetime) -> list[NewEntry]:
    payout = attempt.payout
    fee = Money(attempt.fee_minor if attempt.mined_fee_minor is None else attempt.mined_fee_minor, payout.asset)
    joined = joins_coins(payout.purpose)
    failed = attempt.reverted or not (attempt.pays or joined)
    target = states.REVERTED if failed else states.CONFIRMED
    states.PAYOUT.check(payout.state, target)
    # Orders need not hear of a nonce that we used up ourselves: the debt is asked for again at once (wallets.paying.again).
    payout.state, payout.news = target, attempt.pays
    payout.problem = (REVERTED if attempt.pays else NONCE_USED_UP) if failed else ""
    payout.txid, payout.fee_minor, payout.confirmed_at = attempt.txid, fee.minor, at
    payout.block_height = attempt.block_height
    payout.save(update_fields=("state", "news", "problem", "txid", "fee_minor", "confirmed_at", "block_height"))
    reserved, paid = Money(payout.reserved_minor, payout.asset), Money(payout.amount_minor, payout.asset)
    if failed or joined:
        # The chain took the fee and moved nothing of ours elsewhere: whoever is owed is still owed everything.
        paid -= paid
    return [settle_entry(purpose=payout.closing, reserved=reserved, paid=paid, fee=fee, owner=payout.owner_ref, at=at)]
