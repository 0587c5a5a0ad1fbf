"""Payout intents: asked for by orders, once per purpose, and the news that travels back when they end."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from core.each import next_page
from core.errors import DomainError
from core.money import Money
from ledger.post import post_entries
from ledger.reserve import release_entry, reserve_entry
from wallets import states
from wallets.journal import read_lines
from wallets.models import Attempt, Payout
from wallets.paying.refusals import FOR_A_PERSON

# What follows in the purpose of an intent that took the place of a rejected one: "order:O…:settle/2".
_AGAIN = "/"
# Intents that will never move anything: never signed, or final on the chain without a payment.
_OVER = (states.REJECTED, states.REVERTED)


class PayoutNotRedirectable(DomainError):
    code = "payout_not_redirectable"
    message = _("This payout cannot go elsewhere: %(reason)s.")


def wait_for_approval() -> QuerySet[Payout]:
    """Select the payouts that a signer lets go only once a person approved them (manage.py approve_payout)."""
    named = Q(*(("problem__startswith", f"{code}:") for code in FOR_A_PERSON), _connector=Q.OR)
    return Payout.objects.filter(named, state=states.REQUESTED)


def debt_of(purpose: str) -> str:
    """Return the debt that a purpose pays: the same for an intent and for those that took its place; pure."""
    return purpose.partition(_AGAIN)[0]


def request_payout(
    *,
    purpose: str,
    owner_ref: str,
    address: str,
    amount: Money,
    fee_cap: Money,
    funded_by: Sequence[int],
    at: datetime,
) -> Payout:
    """Reserve `amount` + `fee_cap` in the books and write the intent; two statements, in the caller's transaction.

    The purpose is unique in the database, so a second request for the same debt raises IntegrityError whoever asks.
    `funded_by`: deposits that must still be confirmed when it is signed.

    Raises: InsufficientFunds (nothing is left of the transaction), IntegrityError.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("request_payout() outside a transaction")
    payout = Payout(
        purpose=purpose,
        chain=amount.asset.network,
        asset=amount.asset,
        owner_ref=owner_ref,
        address=address,
        amount_minor=amount.minor,
        fee_cap_minor=fee_cap.minor,
        reserved_minor=(amount + fee_cap).minor,
        funded_by=list(funded_by),
        requested_at=at,
    )
    payout.save(force_insert=True)
    post_entries([reserve_entry(purpose=purpose, amount=amount + fee_cap, at=at)])
    return payout


def reject_payout(payout: Payout, *, problem: str, at: datetime) -> None:
    """Refuse a locked intent before anything was signed and give its coins back to the books.

    In the caller's transaction. Raises: core.states.IllegalTransition when it was signed or rejected before.
    """
    states.PAYOUT.check(payout.state, states.REJECTED)
    payout.state, payout.problem, payout.news = states.REJECTED, problem[:300], True
    payout.save(update_fields=("state", "problem", "news"))
    reserved = Money(payout.reserved_minor, payout.asset)
    post_entries([release_entry(purpose=payout.closing, reserved=reserved, at=at)])


def redirect_payout(payout: Payout, *, address: str, at: datetime) -> Payout:
    """Ask for the same debt anew at another address, in place of a locked intent that can never pay it.

    What an intent pays never changes, so the old one is rejected, if it is not yet, and a new one written, numbered
    within its debt. Only while all earlier ones are rejected, or mined at payout depth without moving anything, and the
    journal, which outlives a restored backup, knows no other signed payment of this debt: so one of them at most ever
    pays. In the caller's transaction.

    Raises: PayoutNotRedirectable; InsufficientFunds when a rejected one's coins have gone to others since.
    """
    if payout.state not in (states.REQUESTED, states.REJECTED, states.REVERTED):
        raise PayoutNotRedirectable(reason=f"it is {payout.state}")
    debt = debt_of(payout.purpose)
    same = Payout.objects.filter(owner_ref=payout.owner_ref, purpose__startswith=debt).order_by("pk")
    others = [
        (pk, state) for purpose, pk, state in same.values_list("purpose", "pk", "state") if debt_of(purpose) == debt
    ]
    if any(pk > payout.pk or state not in (*_OVER, payout.state) for pk, state in others):
        raise PayoutNotRedirectable(reason="another payout has taken its place")
    if payout.state == states.REQUESTED and payout.attempts.exists():
        raise PayoutNotRedirectable(reason="it was signed before and waits to be signed again")
    known = set(Attempt.objects.filter(payout__in=[pk for pk, _ in others]).values_list("txid", flat=True))
    if any(debt_of(line["payout"]) == debt and line["txid"] not in known for line in read_lines()):
        raise PayoutNotRedirectable(reason="the journal knows a signed payment of this debt; reconcile first")
    if payout.state == states.REQUESTED:
        reject_payout(payout, problem="sent elsewhere by the operator", at=at)
    clear_payout_news(payout)  # orders act on what takes its place
    return request_payout(
        purpose=f"{debt}{_AGAIN}{len(others) + 1}",
        owner_ref=payout.owner_ref,
        address=address,
        amount=Money(payout.amount_minor, payout.asset),
        fee_cap=Money(payout.fee_cap_minor, payout.asset),
        funded_by=payout.funded_by,
        at=at,
    )


def list_payout_news(*, chain: str, limit: int) -> list[tuple[int, str]]:
    """Return (id, owner_ref) of payouts whose state changed since orders looked, oldest first, each in its turn. No lock."""
    rows = Payout.objects.filter(news=True, chain=chain)
    return next_page(f"payout news:{chain}", rows.values_list("pk", "owner_ref"), limit=limit)


def clear_payout_news(payout: Payout) -> None:
    """Note on the locked payout that orders have acted on its present state. One statement."""
    payout.news = False
    payout.save(update_fields=("news",))
