"""Choose which of our coins pay a payout, on chains that have outputs. The choice is ours and explicit, never the node's.

Spendable: our own change, and deposits or funding that were confirmed, all not held by another payout.
"""

from django.db.models import Exists, OuterRef, Q

from core.errors import DomainError
from wallets.chains.sizes import size_vb
from wallets.models import Attempt, Coin, CoinHold

MOST_INPUTS = 20


class CoinsShort(DomainError):
    """No free coins for this payout just now: it stays REQUESTED and is tried again."""

    code = "coins_short"
    message = "The free coins do not cover this payout at the moment."


def choose_coins(*, chain: str, height: int, amount_minor: int, fee_cap_minor: int, rate_minor: int) -> list[Coin]:
    """Lock and return coins for `amount` + fee: the smallest single coin that suffices, else the largest ones together.

    Inside the signing transaction, under the chain's lane lock. Rows that somebody else locks are passed over.

    Raises: CoinsShort when no set of at most 20 coins within the fee cap is free.
    """
    free = _free(chain, height)
    single = amount_minor + size_vb(1, 2) * rate_minor
    enough = free.filter(amount_minor__gte=single).order_by("amount_minor", "pk").first()
    if enough is not None:
        return [enough]
    chosen: list[Coin] = []
    for coin in free.order_by("-amount_minor", "pk")[:MOST_INPUTS]:
        chosen.append(coin)
        fee = size_vb(len(chosen), 2) * rate_minor
        if fee > fee_cap_minor:
            break
        if sum(c.amount_minor for c in chosen) >= amount_minor + fee:
            return chosen
    raise CoinsShort


def _free(chain: str, height: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 -- a queryset with annotations
    held = CoinHold.objects.filter(chain=chain, txid=OuterRef("txid"), vout=OuterRef("vout"))
    unsent = Attempt.objects.filter(pk=OuterRef("attempt"), sent_at=None, block_height=None)
    usable = Coin.objects.filter(chain=chain, usable=True, spent_txid="").select_related("address")
    mature = Q(deposit=None) | Q(deposit__mature_height__lte=height)
    return usable.filter(mature).exclude(Exists(held)).exclude(Exists(unsent))
