"""Join many small coins of the house into one, so that one transaction can pay what the books have."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from core.errors import DomainError
from core.locks import lock_rows
from core.models import Asset
from core.money import Money
from ledger.post import post_entries
from ledger.reserve import reserve_entry
from wallets import states
from wallets.addresses import house_address
from wallets.chains.coin_choice import JOIN_FEE_PERCENT, MOST_JOINED, join_fee, least_joined
from wallets.chains.registry import has_outputs
from wallets.models import ChainState, Payout
from wallets.paying.fees import CAP_TIMES, offered_rate
from wallets.purposes import JOIN
from wallets.signer.coins import mined_coins


class NothingToJoin(DomainError):
    code = "nothing_to_join"
    message = "No coins of %(asset)s are to be joined: %(reason)s."


@dataclass(frozen=True, slots=True)
class Join:
    """What joining would do: so many coins, which together come to `total`, at an expected `fee` and never over `cap`.

    `kept`: the coins that stay as they are, for payouts of now. `payout` is the intent once it was asked for.
    """

    coins: int
    total: Money
    fee: Money
    cap: Money
    kept: int
    payout: Payout | None = None

    def describe(self) -> str:
        """Say it in words, for a person who decides."""
        what = (
            f"{self.coins} coins of {self.total} together become one; fee about {self.fee}, {self.cap} at the most; "
            f"{self.kept} larger coins stay for what is to be paid now"
        )
        return f"{what} ({self.payout.purpose if self.payout else 'not asked for: add --yes'})"


def find_open_join(chain: str) -> Payout | None:
    """Return the joining of coins that is on its way; there is one at a time."""
    over = (states.CONFIRMED, states.REJECTED, states.REVERTED)
    return Payout.objects.filter(chain=chain, purpose__startswith=JOIN).exclude(state__in=over).first()


def consolidate(*, asset: Asset, keep_minor: int, at: datetime, ask: bool = False) -> Join:
    """Join the smallest mined coins, but for the largest that come to `keep_minor`, which payouts need now. Locks the lane.

    Says what it would do, and with `ask` writes the intent and reserves its fee cap; the signer chooses the coins again.
    Safe to repeat: while one is on its way there is no second. Raises: NothingToJoin, InsufficientFunds.
    """
    chain = asset.network
    if not has_outputs(chain):
        raise NothingToJoin(asset=asset.code, reason="its chain has balances, not coins")
    with transaction.atomic():
        ((state,),) = lock_rows(ChainState.objects.filter(code=chain))
        under_way = find_open_join(chain)
        if under_way is not None:
            raise NothingToJoin(asset=asset.code, reason=f"{under_way.purpose} is on its way ({under_way.state})")
        join = _plan(asset, state, keep_minor)
        if not ask:
            return join
        number = Payout.objects.filter(purpose__startswith=JOIN).count() + 1
        payout = Payout(
            purpose=f"{JOIN}{number}",
            chain=chain,
            asset=asset,
            address=house_address(chain=chain, at=at).address,
            amount_minor=join.total.minor,
            fee_cap_minor=join.cap.minor,
            reserved_minor=join.cap.minor,
            requested_at=at,
        )
        payout.save(force_insert=True)
        post_entries([reserve_entry(purpose=payout.purpose, amount=join.cap, at=at)])
        return Join(join.coins, join.total, join.fee, join.cap, join.kept, payout)


def _plan(asset: Asset, state: ChainState, keep_minor: int) -> Join:
    rate = offered_rate(asset, state.fee_rate_minor)
    least = least_joined(rate)
    worth = mined_coins(asset.network, state.height).filter(amount_minor__gte=least)
    coins = worth.order_by("-amount_minor", "pk")
    amounts = [int(minor) for minor in coins.values_list("amount_minor", flat=True)]
    kept, held = 0, 0
    while held < keep_minor and kept < len(amounts):
        held += amounts[kept]
        kept += 1
    small = amounts[kept:][::-1][:MOST_JOINED]
    if len(small) <= 1:
        raise NothingToJoin(
            asset=asset.code,
            reason=f"{len(amounts)} are there, {kept} of them for what is to be paid now; to join any of less than "
            f"{Money(least, asset)} would cost over {JOIN_FEE_PERCENT} % of it",
        )
    total = sum(small)
    fee = join_fee(len(small), rate)
    cap = min(CAP_TIMES * fee, total * JOIN_FEE_PERCENT // 100)
    return Join(len(small), Money(total, asset), Money(fee, asset), Money(cap, asset), len(amounts) - len(small))
