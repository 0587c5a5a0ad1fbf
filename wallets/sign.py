"""Turn requested payouts into signed bytes: coins or nonce held, bytes and id stored, all in one transaction.

After that commit the payment exists; whatever happens, only these bytes (or ones that conflict with them) are sent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet

from core.each import for_each
from core.locks import lock_rows
from wallets import states
from wallets.addresses import house_address
from wallets.chains.protocol import Chain, ChainError, FeeQuote
from wallets.coins import CoinsShort, choose_coins, size_vb
from wallets.freeze import frozen_scopes, is_frozen
from wallets.journal import check_latest, list_explained_debts
from wallets.models import Attempt, ChainState, Coin, CoinHold, Deposit, NonceHold, Payout
from wallets.payouts import debt_of, reject_payout
from wallets.scan_state import find_problem, get_state, trusted_now
from wallets.signer import Signed, SignerRefused, has_keys, sign_coins, sign_nonce


def sign_payouts(*, node: Chain, at: datetime, limit: int = 100, step: Callable[[str], None] = lambda _: None) -> int:
    """Sign up to `limit` requested payouts of a chain and return how many were signed.

    Oldest first, but what could not be signed goes to the end of the line, so that nothing waits behind it.

    The node is asked who it is, what fees it advises and (where there are nonces) whether a target is a contract, all
    before the transaction. `step` is told the name of each step, for tests that kill the process between two of them.
    """
    if not has_keys() or not check_latest(at=at):
        return 0
    waiting = _leave_out_paid(Payout.objects.filter(chain=node.code, state=states.REQUESTED))
    waiting = waiting.order_by(F("tried_at").asc(nulls_first=True), "pk")  # those tried in vain come after the others
    todo = list(waiting.values_list("pk", "address")[:limit])
    if not todo:
        return 0
    try:
        problem = find_problem(state=get_state(node.code), tip=node.tip(), identity=node.identity(), at=at)
        fees = node.fee_quote()
        first_nonce = node.next_nonce(house_address(chain=node.code, at=at).address) if node.has_nonces else None
        if problem:
            return 0
    except ChainError:
        return 0  # the scan reports a node that does not answer; here there is simply nothing to do
    offer = _Offer(node, fees, first_nonce, at)

    def sign(row: tuple[int, str]) -> bool:
        done = _sign_one(row[0], row[1], offer)
        step("signed")
        return done

    return for_each(todo, sign)


@dataclass(frozen=True, slots=True)
class _Offer:
    """What the node said before a round of signing."""

    node: Chain
    fees: FeeQuote
    first_nonce: int | None
    at: datetime


def _leave_out_paid(waiting: QuerySet[Payout]) -> QuerySet[Payout]:
    """Leave out debts that were paid before an old backup was restored; a person has to close them."""
    debts = {debt_of(purpose) for purpose in list_explained_debts()}
    if not debts:
        return waiting
    # An intent and the one that took its place pay one debt, whichever of them the backup knew.
    purposes = waiting.values_list("purpose", flat=True)
    paid = [purpose for purpose in purposes if debt_of(purpose) in debts]
    problem = "paid already, before a backup was restored"
    with transaction.atomic():
        waiting.filter(purpose__in=paid).exclude(problem=problem).update(problem=problem)
    return waiting.exclude(purpose__in=paid)


def _sign_one(payout_id: int, address: str, offer: _Offer) -> bool:
    node, at = offer.node, offer.at
    try:
        if not node.is_payable(address):
            _reject(payout_id, f"the node does not take {address} for an address", at)
            return False
        gas = node.estimate_gas(address) if node.has_nonces else 0
        with transaction.atomic():
            payout, state = _claim(payout_id, node.code, at)
            if payout is not None:
                if node.has_nonces:
                    _sign_with_nonce(payout, state, offer, gas)
                else:
                    _sign_with_coins(payout, state, offer)
                states.PAYOUT.check(payout.state, states.SIGNED)
                payout.state, payout.signed_at, payout.problem = states.SIGNED, at, ""
                payout.save(update_fields=("state", "signed_at", "problem"))
                return True
        problem = "frozen, or its deposits are not confirmed now"
    except (ChainError, CoinsShort, SignerRefused) as refusal:
        problem = str(refusal)
    with transaction.atomic():
        waiting = Payout.objects.filter(pk=payout_id, state=states.REQUESTED)
        waiting.update(problem=problem[:300], tried_at=at)
    return False


def _reject(payout_id: int, problem: str, at: datetime) -> None:
    """Refuse an intent before anything is signed; the order's next actor becomes the operator."""
    with transaction.atomic():
        (payouts,) = lock_rows(Payout.objects.filter(pk=payout_id, state=states.REQUESTED).select_related("asset"))
        if payouts:
            reject_payout(payouts[0], problem=problem, at=at)


def _claim(payout_id: int, chain: str, at: datetime) -> tuple[Payout | None, ChainState]:
    """Lock the lane, the funding deposits and the payout, and look again whether it may be signed now."""
    funding_ids = Payout.objects.values_list("funded_by", flat=True).get(pk=payout_id)
    (lanes, funding, payouts) = lock_rows(
        ChainState.objects.filter(code=chain),
        Deposit.objects.filter(pk__in=funding_ids),
        Payout.objects.filter(pk=payout_id, state=states.REQUESTED).select_related("asset"),
    )
    if not payouts:
        return None, lanes[0]
    payout = payouts[0]
    codes = {deposit.asset_id for deposit in funding}
    if is_frozen(payout.asset_id, codes, frozen_scopes()):
        return None, lanes[0]
    if any(deposit.state != states.CONFIRMED for deposit in funding) or len(funding) != len(funding_ids):
        return None, lanes[0]
    if not all(trusted_now(chain=deposit.chain, at=at) for deposit in funding):
        return None, lanes[0]
    return payout, lanes[0]


def _sign_with_coins(payout: Payout, state: ChainState, offer: _Offer) -> Attempt:
    rate = max(offer.fees.per_unit_minor, payout.asset.fee_rate_floor_minor)
    coins = choose_coins(
        chain=payout.chain,
        height=state.height,
        amount_minor=payout.amount_minor,
        fee_cap_minor=payout.fee_cap_minor,
        rate_minor=rate,
    )
    signed = sign_coins(
        chain=payout.chain,
        coins=coins,
        address=payout.address,
        amount_minor=payout.amount_minor,
        fee_minor=size_vb(len(coins), 2) * rate,
        fee_cap_minor=payout.fee_cap_minor,
    )
    CoinHold.objects.bulk_create(
        CoinHold(chain=coin.chain, txid=coin.txid, vout=coin.vout, payout=payout) for coin in coins
    )
    return store_attempt(payout, signed, n=1, at=offer.at)


def _sign_with_nonce(payout: Payout, state: ChainState, offer: _Offer, gas: int) -> Attempt:
    """The nonce comes from our rows, never from the node's pending count; the node is believed once, at the very start."""
    nonce = state.next_nonce if state.next_nonce is not None else int(offer.first_nonce or 0)
    sender = house_address(chain=payout.chain, at=offer.at).address
    max_fee = min(offer.fees.max_fee_minor, payout.fee_cap_minor // gas)
    if max_fee < offer.fees.per_unit_minor:
        # Signed all the same, it would wait unmined and hold up every nonce behind it.
        raise SignerRefused(f"the fee cap {payout.fee_cap_minor} does not pay for {gas} gas at today's fees")
    signed = sign_nonce(
        chain=payout.chain,
        chain_id=offer.node.chain_id,
        nonce=nonce,
        address=payout.address,
        amount_minor=payout.amount_minor,
        gas=gas,
        max_fee_minor=max_fee,
        priority_minor=min(offer.fees.priority_minor, max_fee),
        fee_cap_minor=payout.fee_cap_minor,
    )
    NonceHold.objects.create(chain=payout.chain, sender=sender, nonce=nonce, payout=payout)
    state.next_nonce = nonce + 1
    state.save(update_fields=("next_nonce",))
    return store_attempt(payout, signed, n=1, at=offer.at)


def store_attempt(payout: Payout, signed: Signed, *, n: int, at: datetime) -> Attempt:
    """Store signed bytes as attempt `n`, due to be sent at once, with the change they make. In the caller's transaction."""
    attempt = Attempt.objects.create(
        payout=payout,
        n=n,
        chain=payout.chain,
        txid=signed.txid,
        raw=signed.raw,
        fee_minor=signed.fee_minor,
        rate_minor=signed.rate_minor,
        signed_at=at,
        next_send_at=at,
    )
    if signed.change_minor:
        Coin.objects.create(
            chain=payout.chain,
            txid=signed.txid,
            vout=signed.change_vout,
            address=house_address(chain=payout.chain, at=at),
            amount_minor=signed.change_minor,
            attempt=attempt,
        )
    return attempt
