"""Deposits as orders see them: what is news, and the one verb that decides what becomes of a confirmed deposit."""

from datetime import datetime

from core.money import Money
from ledger.post import Leg, NewEntry
from wallets import states
from wallets.models import Deposit


def list_news(*, chain: str, limit: int) -> list[tuple[int, str]]:
    """Return (id, owner_ref) of order deposits that changed since orders looked, oldest first. No lock."""
    news = Deposit.objects.filter(news=True, chain=chain).exclude(owner_ref="").order_by("pk")
    return list(news.values_list("pk", "owner_ref")[:limit])


def first_sight(deposit: Deposit) -> datetime | None:
    """Return the moment from which a deposit may bind a rate; pure, of stored facts alone.

    Its first sight, where that counts (Deposit.sight_counts), or its block's own time, whichever is earlier. None: it is
    unmined and its sight does not count, so it binds nothing yet. Where our own reading was interrupted across an order's
    expiry (wallets.scan_state.was_interrupted), this may be later than it would have been.
    """
    seen = deposit.first_seen_at if deposit.sight_counts else None
    return min(filter(None, (seen, deposit.mined_at)), default=None)


def clear_news(deposit: Deposit) -> None:
    """Note on the locked deposit that orders have acted on its present state. One statement."""
    deposit.news = False
    deposit.save(update_fields=("news",))


def decide(
    deposit: Deposit,
    disposition: str,
    *,
    reason: str,
    deadline: datetime | None = None,
    next_actor: str = "",
) -> None:
    """Set what becomes of a locked, confirmed deposit; one statement.

    Raises: core.states.IllegalTransition when it was decided otherwise before, ValueError when it is not confirmed.
    """
    if deposit.state != states.CONFIRMED:
        raise ValueError(f"{deposit} is {deposit.state}: only a confirmed deposit is decided")
    states.DISPOSITION.check(deposit.disposition, disposition)
    deposit.disposition, deposit.reason = disposition, reason
    deposit.deadline, deposit.next_actor = deadline, next_actor
    deposit.news = False
    deposit.save(update_fields=("disposition", "reason", "deadline", "next_actor", "news"))


def deposit_entry(deposit: Deposit, *, at: datetime) -> NewEntry:
    """Book a deposit at CONFIRMED: coins for us, a debt to the order's customer; the house's own coins are capital.

    Where payouts come from one sender (chains with nonces), coins on deposit addresses have to be swept first.
    """
    amount = Money(deposit.amount_minor, deposit.asset)
    if not deposit.owner_ref:
        held, source = Leg("chain:spendable", amount), Leg("capital", -amount)
    else:
        kind = "chain:spendable" if deposit.position.isdigit() else "chain:unswept"
        held, source = Leg(kind, amount), Leg("customer", -amount, deposit.owner_ref)
    return NewEntry(f"deposit:{deposit.pk}", "deposit", at, (held, source))


def reorg_entry(deposit: Deposit, *, at: datetime) -> NewEntry:
    """Book that a confirmed deposit vanished: never against the customer, whose debt the operator then decides on."""
    amount = Money(deposit.amount_minor, deposit.asset)
    return NewEntry(
        f"reorg:{deposit.pk}:{deposit.reorg_count}",
        "reorganisation",
        at,
        (Leg("receivable:reorg", amount), Leg("chain:missing", -amount)),
    )
