"""Deposits as orders see them: what is news, and the one verb that decides what becomes of a confirmed deposit."""

from collections.abc import Sequence
from datetime import datetime

from core.each import next_page
from core.money import Money
from ledger.post import Leg, NewEntry
from wallets import states
from wallets.models import Deposit


def list_news(*, chain: str, limit: int) -> list[tuple[int, str]]:
    """Return (id, owner_ref) of order deposits that changed since orders looked, oldest first, each in its turn. No lock."""
    news = Deposit.objects.filter(news=True, chain=chain).exclude(owner_ref="")
    return next_page(f"deposit news:{chain}", news.values_list("pk", "owner_ref"), limit=limit)


def clear_news(outputs: Sequence[Deposit]) -> None:
    """Note on the locked deposits that orders have acted on their present state. One statement."""
    Deposit.objects.filter(pk__in=[output.pk for output in outputs], news=True).update(news=False)
    for output in outputs:
        output.news = False


def decide(
    outputs: Sequence[Deposit],
    disposition: str,
    *,
    reason: str,
    deadline: datetime | None = None,
    next_actor: str = "",
) -> None:
    """Set what becomes of locked, confirmed deposits: the outputs of one payment. One statement.

    Raises: core.states.IllegalTransition when one was decided otherwise before, ValueError when one is not confirmed.
    """
    decided = {
        "disposition": disposition,
        "reason": reason,
        "deadline": deadline,
        "next_actor": next_actor,
        "news": False,
    }
    for output in outputs:
        if output.state != states.CONFIRMED:
            raise ValueError(f"{output} is {output.state}: only a confirmed deposit is decided")
        states.DISPOSITION.check(output.disposition, disposition)
        for name, value in decided.items():
            setattr(output, name, value)
    Deposit.objects.filter(pk__in=[output.pk for output in outputs]).update(**decided)


def decide_anew(outputs: Sequence[Deposit], *, reason: str, deadline: datetime, next_actor: str) -> None:
    """Let locked deposits that were written off, and that the chain has again, wait for their owner. One statement.

    Raises: ValueError when one is not confirmed.
    """
    for output in outputs:
        if output.disposition != states.WAITING:
            states.DISPOSITION.check(output.disposition, states.WAITING)
        if output.state != states.CONFIRMED:
            raise ValueError(f"{output} is {output.state}: only a confirmed deposit is decided")
    Deposit.objects.filter(pk__in=[output.pk for output in outputs]).update(
        disposition=states.WAITING, reason=reason, deadline=deadline, next_actor=next_actor, news=False
    )


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
