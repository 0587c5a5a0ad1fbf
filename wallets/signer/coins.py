"""Choose which of our coins pay a payout, on chains that have outputs. The choice is ours and explicit, never the node's.

Spendable: confirmed deposits and funding, and our own change while it is mined or in our node's mempool now ("was sent
once" is not "exists"); all not held by another payout. What is mined is taken first.
"""

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q, QuerySet

from core.errors import DomainError
from wallets import states
from wallets.chains.coin_choice import MOST_INPUTS, MOST_JOINED, count_needed, fits, least_joined, smallest_within
from wallets.chains.sizes import size_vb
from wallets.models import Coin, CoinHold, Payout
from wallets.signer.keys import SignerRefused


class CoinsShort(DomainError):
    """No free coins for this payout just now: it stays REQUESTED and is tried again."""

    code = "coins_short"
    message = "The free coins do not cover this payout at the moment."


def choose_coins(
    *,
    chain: str,
    height: int,
    amount_minor: int,
    fee_cap_minor: int,
    rate_minor: int,
    in_mempool: Sequence[str] = (),
) -> list[Coin]:
    """Return coins for `amount` + fee: the smallest single coin that suffices, else as few of the largest as do.

    Inside the signing transaction, under the chain's lane lock, which is what keeps two payouts from the same coin.

    Raises: SignerRefused (`fee_over_cap`) when even one coin costs more than the cap; CoinsShort.
    """
    if not fits(1, rate_minor=rate_minor, fee_cap_minor=fee_cap_minor):
        raise SignerRefused(
            f"one coin at {rate_minor} per virtual byte costs more than the cap {fee_cap_minor}", code="fee_over_cap"
        )
    for pool in (mined_coins(chain, height), _free_coins(chain, height, in_mempool)):
        single = pool.filter(amount_minor__gte=amount_minor + size_vb(1, 2) * rate_minor)
        enough = single.order_by("amount_minor", "pk").first()
        if enough is not None:
            return [enough]
        largest = list(pool.order_by("-amount_minor", "pk")[:MOST_INPUTS])
        count = count_needed(
            [coin.amount_minor for coin in largest],
            amount_minor=amount_minor,
            rate_minor=rate_minor,
            fee_cap_minor=fee_cap_minor,
        )
        if count:
            return largest[:count]
    raise CoinsShort


def choose_small(*, chain: str, height: int, most_minor: int, rate_minor: int) -> list[Coin]:
    """Return the smallest mined coins worth joining that come to `most_minor` or less together. Under the lane's lock.

    What is larger stays for payouts. Raises: SignerRefused (`nothing_to_join`).
    """
    worth = mined_coins(chain, height).filter(amount_minor__gte=least_joined(rate_minor))
    smallest = list(worth.order_by("amount_minor", "pk")[:MOST_JOINED])
    count = smallest_within([coin.amount_minor for coin in smallest], most_minor)
    if count <= 1:
        raise SignerRefused(f"no two small coins come to {most_minor} or less any more", code="nothing_to_join")
    return smallest[:count]


def mined_coins(chain: str, height: int) -> QuerySet[Coin]:
    """Return the free coins that blocks hold."""
    return _free_coins(chain, height, ())


def _free_coins(chain: str, height: int, in_mempool: Sequence[str]) -> QuerySet[Coin]:
    held = _holding().filter(chain=chain, txid=OuterRef("txid"), vout=OuterRef("vout"))
    usable = Coin.objects.filter(chain=chain, usable=True, spent_txid="").select_related("address")
    mature = Q(deposit=None) | Q(deposit__mature_height__lte=height)
    exists = Q(attempt=None) | Q(attempt__block_height__isnull=False) | Q(txid__in=list(in_mempool))
    return usable.filter(mature & exists).exclude(Exists(held))


def _holding() -> QuerySet[CoinHold]:
    """Return the holds that count: a payout that is over, or was reopened, leaves what its transaction did not spend."""
    return CoinHold.objects.filter(payout__state__in=(states.SIGNED, states.BROADCAST, states.IN_DOUBT))


def hold_coins(payout: Payout, coins: Sequence[Coin]) -> None:
    """Claim coins that were free for `payout`; the unique key stops whoever claims one at the same time.

    Under the chain's lane lock. A hold that another payout has left behind passes to this one. Raises: IntegrityError.
    """
    fresh = []
    for coin in coins:
        left = CoinHold.objects.filter(chain=coin.chain, txid=coin.txid, vout=coin.vout)
        if not left.exclude(pk__in=_holding().values("pk")).update(payout=payout):
            fresh.append(CoinHold(chain=coin.chain, txid=coin.txid, vout=coin.vout, payout=payout))
    CoinHold.objects.bulk_create(fresh)
