"""Sign a requested payout for the first time: coins or nonce held, bytes and id stored, all in one transaction.

After that commit the payment exists; whatever happens, only these bytes (or ones that conflict with them) are sent.
"""

from django.db import transaction

from core.locks import lock_rows
from wallets import states
from wallets.addresses import house_address
from wallets.chains.coin_choice import join_fee
from wallets.chains.sizes import size_vb
from wallets.freeze import frozen_scopes, is_frozen
from wallets.models import Attempt, ChainState, Deposit, NonceHold, Payout
from wallets.purposes import joins_coins
from wallets.scan_state import trusted_now
from wallets.signer import journal
from wallets.signer.advice import Advice, Outcome
from wallets.signer.checks import check_network, check_payout
from wallets.signer.coins import CoinsShort, choose_coins, choose_small, hold_coins
from wallets.signer.death import final_height, list_alive
from wallets.signer.keys import SignerRefused, sign_coins, sign_join, sign_nonce
from wallets.signer.store import store_attempt


class NotNow(Exception):
    """The rows do not allow this signature at the moment; it may be asked for again."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


def sign_payout(payout_id: int, advice: Advice) -> Outcome:
    """Sign attempt 1 of a requested payout, or say why not. Safe to repeat and to race: the payout's row decides.

    Locks the chain's lane, the funding deposits and the payout. Raises nothing of its own: a refusal is an Outcome.
    """
    try:
        with transaction.atomic():
            payout, state, line = _claim(payout_id, advice)
            sign = _sign_with_nonce if advice.has_nonces else _sign_with_coins
            if joins_coins(payout.purpose):
                sign = _sign_join
            attempt = sign(payout, state, advice)
            states.PAYOUT.check(payout.state, states.SIGNED)
            payout.state, payout.signed_at, payout.problem = states.SIGNED, advice.at, ""
            payout.save(update_fields=("state", "signed_at", "problem"))
            # Before the commit: a crash between the two counts coins that did not leave, never the other way.
            journal.append(advice.chain, line)
            return Outcome(attempt_id=attempt.pk)
    except (NotNow, CoinsShort, SignerRefused) as refusal:
        return Outcome(code=refusal.code, words=str(refusal))


def _claim(payout_id: int, advice: Advice) -> tuple[Payout, ChainState, journal.Line]:
    """Lock the lane, the funding deposits and the payout, and prove that it may be signed now.

    Returns its line for the signer's journal. Raises: NotNow, SignerRefused, journal.JournalBroken.
    """
    funding_ids = Payout.objects.values_list("funded_by", flat=True).get(pk=payout_id)
    (lanes, funding, payouts) = lock_rows(
        ChainState.objects.filter(code=advice.chain),
        Deposit.objects.filter(pk__in=funding_ids).select_related("asset", "address"),
        Payout.objects.filter(pk=payout_id, chain=advice.chain, state=states.REQUESTED).select_related("asset"),
    )
    if not payouts or not lanes:
        raise NotNow("not_requested", "it was signed or refused meanwhile")
    payout = payouts[0]
    if is_frozen(payout.asset_id, {deposit.asset_id for deposit in funding}, frozen_scopes()):
        raise NotNow("frozen", "payouts of this asset, or funded like this one, are frozen")
    if any(deposit.state != states.CONFIRMED for deposit in funding) or len(funding) != len(set(funding_ids)):
        raise NotNow("funding_unconfirmed", "a deposit that pays for it is not confirmed now")
    if not all(trusted_now(chain=deposit.chain, at=advice.at) for deposit in funding):
        raise NotNow("funding_chain_unread", "the chain that funds it has not been read within the last minutes")
    alive = list_alive(payout.pk, final=final_height(payout.asset, lanes[0].height))
    if alive:
        raise NotNow("still_alive", f"{alive[0]} was signed for this debt before and may still be mined")
    return payout, lanes[0], check_payout(payout, funding)


def _next_number(payout: Payout) -> int:
    return payout.attempts.count() + 1


def _check_balance(payout: Payout, advice: Advice, needed_minor: int) -> None:
    """Refuse what the sender could not pay: signed all the same, no node would take it and every nonce behind would wait.

    Raises: NotNow (`coins_short`).
    """
    waiting = Payout.objects.filter(chain=payout.chain, state__in=(states.SIGNED, states.BROADCAST))
    unmined = waiting.exclude(attempts__block_height__isnull=False)
    promised = sum(unmined.values_list("reserved_minor", flat=True))
    if int(advice.balance_minor or 0) - promised < needed_minor:
        raise NotNow(
            "coins_short", f"the hot wallet holds {advice.balance_minor}, {promised} of it for payouts on their way"
        )


def _sign_with_coins(payout: Payout, state: ChainState, advice: Advice) -> Attempt:
    rate = max(advice.fee_rate_minor, payout.asset.fee_rate_floor_minor)
    coins = choose_coins(
        chain=payout.chain,
        height=state.height,
        amount_minor=payout.amount_minor,
        fee_cap_minor=payout.fee_cap_minor,
        rate_minor=rate,
        in_mempool=advice.in_mempool,
    )
    signed = sign_coins(
        chain=payout.chain,
        coins=coins,
        address=payout.address,
        amount_minor=payout.amount_minor,
        fee_minor=size_vb(len(coins), 2) * rate,
        fee_cap_minor=payout.fee_cap_minor,
    )
    hold_coins(payout, coins)
    return store_attempt(payout, signed, n=_next_number(payout), at=advice.at)


def _sign_join(payout: Payout, state: ChainState, advice: Advice) -> Attempt:
    """Join the smallest coins into one. As a transfer to ourselves it pays nobody, so the books see its fee alone."""
    rate = max(advice.fee_rate_minor, payout.asset.fee_rate_floor_minor)
    coins = choose_small(chain=payout.chain, height=state.height, most_minor=payout.amount_minor, rate_minor=rate)
    signed = sign_join(
        chain=payout.chain,
        coins=coins,
        fee_minor=join_fee(len(coins), rate),
        fee_cap_minor=payout.fee_cap_minor,
    )
    hold_coins(payout, coins)
    return store_attempt(payout, signed, n=_next_number(payout), at=advice.at, pays=False)


def _sign_with_nonce(payout: Payout, state: ChainState, advice: Advice) -> Attempt:
    """The nonce comes from our rows, never from the node's pending count; the node is believed once, at the very start."""
    check_network(state, advice.chain_id)
    nonce = state.next_nonce if state.next_nonce is not None else int(advice.first_nonce or 0)
    sender = house_address(chain=payout.chain, at=advice.at).address
    if advice.gas > payout.asset.payout_units:
        raise SignerRefused(f"{advice.gas} gas is more than {payout.asset.payout_units}", code="target_costly")
    # Room for six full blocks, each an eighth dearer than the one before; never the whole cap as a tip.
    max_fee = min(2 * advice.base_minor + advice.priority_minor, payout.fee_cap_minor // advice.gas)
    if max_fee < advice.base_minor + advice.priority_minor:
        # Signed all the same, it would wait unmined and hold up every nonce behind it.
        raise SignerRefused(
            f"the cap {payout.fee_cap_minor} does not pay for {advice.gas} gas at today's fees", code="fee_over_cap"
        )
    _check_balance(payout, advice, payout.amount_minor + advice.gas * max_fee)
    signed = sign_nonce(
        chain=payout.chain,
        chain_id=advice.chain_id,
        nonce=nonce,
        address=payout.address,
        amount_minor=payout.amount_minor,
        gas=advice.gas,
        max_fee_minor=max_fee,
        priority_minor=advice.priority_minor,
        fee_cap_minor=payout.fee_cap_minor,
    )
    NonceHold.objects.create(chain=payout.chain, sender=sender, nonce=nonce, payout=payout)
    state.next_nonce = nonce + 1
    state.save(update_fields=("next_nonce",))
    return store_attempt(payout, signed, n=_next_number(payout), at=advice.at)
