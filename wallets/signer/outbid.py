"""Outbid ourselves when a payout is not mined: a new attempt that conflicts with every earlier one, within the fee cap.

Same inputs, or same nonce: at most one attempt of a payout can ever confirm.

A payout whose change another one spends: while the node holds both, the later one raises its fee for both, which
disturbs nobody. When that has not helped for an hour, or the node holds the later one no more, the earlier one is replaced;
what was built on it dies as soon as the replacement is final, and is signed anew from other coins (wallets.signer.again).
So one of the two always moves, whatever caps and coins the other has left.
"""

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from core.locks import lock_rows
from wallets import states
from wallets.chains.coin_choice import MOST_INPUTS
from wallets.chains.sizes import size_vb
from wallets.models import Attempt, ChainState, Coin, CoinHold, Payout
from wallets.purposes import joins_coins
from wallets.signer import journal
from wallets.signer.advice import Advice, Outcome
from wallets.signer.checks import check_network, check_outbid, check_self_transfer
from wallets.signer.coins import hold_coins, mined_coins
from wallets.signer.keys import Signed, SignerRefused, sign_coins, sign_join
from wallets.signer.lane import LANE_FREED, raise_gas, self_transfer_cap
from wallets.signer.store import store_attempt

CHILD_PAYS_FOR = timedelta(hours=1)  # then the earlier one is replaced, whatever the later one did


def outbid(payout_id: int, advice: Advice) -> Outcome:
    """Sign the next attempt of an unmined payout at a higher fee, or say why not. Locks the lane and the payout.

    Sent or not: what no node ever took is outbid too. Safe to repeat and to race: the caller decides when it is due, the
    rows decide whether it may.
    """
    try:
        with transaction.atomic():
            return _outbid(payout_id, advice)
    except SignerRefused as refusal:
        return Outcome(code=refusal.code, words=str(refusal))


def _outbid(payout_id: int, advice: Advice) -> Outcome:
    (lanes, payouts) = lock_rows(
        ChainState.objects.filter(code=advice.chain),
        Payout.objects.filter(
            pk=payout_id, chain=advice.chain, state__in=(states.SIGNED, states.BROADCAST)
        ).select_related("asset"),
    )
    if not payouts or not lanes:
        return Outcome(code="not_sent", words="it is not waiting for a block")
    payout = payouts[0]
    attempts = list(payout.attempts.order_by("n"))
    if not attempts or any(a.block_height is not None for a in attempts):
        return Outcome(code="mined", words="one of its attempts has been mined")
    check_outbid(payout)
    if advice.has_nonces:
        check_network(lanes[0], advice.chain_id)
        signed, pays = raise_gas(payout, attempts[-1], advice)
        # The first of a nonce counts whole: of those that follow, and are dearer, at most one is ever mined in its place.
        first = attempts[-1].pays and not pays
        line = check_self_transfer(payout, cost_minor=self_transfer_cap(payout.chain)) if first else None
        attempt = store_attempt(payout, signed, n=attempts[-1].n + 1, at=advice.at, pays=pays)
        payout.problem = "" if pays else LANE_FREED
        payout.save(update_fields=("problem",))
        if line is not None:
            journal.append(advice.chain, line)  # last, as when a payout is signed
        return Outcome(attempt_id=attempt.pk)
    return _raise_rate(payout, attempts, lanes[0], advice)


def _raise_rate(payout: Payout, attempts: list[Attempt], state: ChainState, advice: Advice) -> Outcome:
    last = attempts[-1]
    coins = _coins_of(payout, last)
    parents = [coin.attempt for coin in coins if coin.attempt is not None and coin.attempt.block_height is None]
    if any(parent.txid not in advice.in_mempool for parent in parents):
        return Outcome(code="waits_for_parent", words="it spends change that the node does not hold now")
    children = _children(attempts, advice)
    if children and advice.at - last.signed_at < CHILD_PAYS_FOR:
        return Outcome(code="child_pays", words="a payout that spends its change raises the fee of both")
    rate = max(last.rate_minor * 125 // 100 + 1, advice.fee_rate_minor, payout.asset.fee_rate_floor_minor)
    missing = sum(max(rate - p.rate_minor, 0) * _size(p) for p in parents)
    # BIP-125: more than everything that is replaced, and the relay fee of one's own size on top.
    replaced = last.fee_minor + sum(fee for _child, fee in children)
    joins = joins_coins(payout.purpose)
    while True:
        size = size_vb(len(coins), 1 if joins else 2)
        least = replaced + size * max(advice.relay_rate_minor, 1)
        fee = min(max(size * rate + missing, least), payout.fee_cap_minor)
        if fee < least or (len(coins) > MOST_INPUTS and not joins):
            raise SignerRefused(f"the cap {payout.fee_cap_minor} leaves nothing to outbid with", code="fee_over_cap")
        if joins or sum(coin.amount_minor for coin in coins) >= payout.amount_minor + fee:
            break
        coins.append(_one_more(payout, state))
    _check_conflict(coins, attempts)
    signed = _sign(payout, coins, fee)
    Coin.objects.filter(attempt__payout=payout).update(usable=False)  # the change of what is being outbid
    payout.problem = ""
    payout.save(update_fields=("problem",))
    return Outcome(attempt_id=store_attempt(payout, signed, n=last.n + 1, at=advice.at, pays=last.pays).pk)


def _sign(payout: Payout, coins: Sequence[Coin], fee: int) -> Signed:
    if joins_coins(payout.purpose):
        return sign_join(chain=payout.chain, coins=coins, fee_minor=fee, fee_cap_minor=payout.fee_cap_minor)
    return sign_coins(
        chain=payout.chain,
        coins=coins,
        address=payout.address,
        amount_minor=payout.amount_minor,
        fee_minor=fee,
        fee_cap_minor=payout.fee_cap_minor,
    )


def _coins_of(payout: Payout, last: Attempt) -> list[Coin]:
    """Return the coins that the last attempt spends: those held, but for the ones that died with earlier attempts."""
    held = set(CoinHold.objects.filter(payout=payout).values_list("txid", "vout"))
    candidates = Coin.objects.filter(chain=payout.chain, txid__in=[txid for txid, _ in held], void_txid="")
    known = {(c.txid, c.vout): c for c in candidates.select_related("address", "attempt")}
    return [known[outpoint] for outpoint in last.list_inputs() if outpoint in known]


def _check_conflict(coins: Sequence[Coin], attempts: Sequence[Attempt]) -> None:
    """Let an outbid share an input with every attempt that it may be mined beside: back to where a payout was signed anew.

    Judged by signed bytes, which nobody can rewrite, not by rows that say what died. Else it would pay a second time, and
    outside the ceilings. Raises: SignerRefused.
    """
    chosen = {(coin.txid, coin.vout) for coin in coins}
    later: set[tuple[str, int]] = set()
    for attempt in reversed(attempts):
        inputs = set(attempt.list_inputs())
        if later and not inputs & later:
            return  # what follows was signed anew, and counted
        if not inputs & chosen:
            raise SignerRefused(f"it would not take the place of {attempt.txid}", code="no_conflict")
        later = inputs


def _children(attempts: list[Attempt], advice: Advice) -> list[tuple[Payout, int]]:
    """Return the payouts that spend change of these attempts and that the node holds, each with what it pays now."""
    found: list[tuple[Payout, int]] = []
    wanted = [attempt.txid for attempt in attempts]
    while wanted:
        holds = (
            CoinHold.objects.filter(chain=attempts[0].chain, txid__in=wanted).select_related("payout").order_by("pk")
        )
        wanted = []
        for hold in holds:
            there = Q(txid__in=advice.in_mempool)
            if hold.txid in advice.in_mempool:
                there |= Q(sent_at=None)  # signed a moment ago, and about to be sent
            held = hold.payout.attempts.filter(there).order_by("-n").first()
            if held is not None and hold.payout not in [child for child, _fee in found]:
                found.append((hold.payout, held.fee_minor))
                wanted += list(hold.payout.attempts.values_list("txid", flat=True))
    return found


def _size(attempt: Attempt) -> int:
    return int(attempt.fee_minor // max(attempt.rate_minor, 1))


def _one_more(payout: Payout, state: ChainState) -> Coin:
    """Hold one more mined coin for a payout whose own coins do not cover a higher fee. It still conflicts by the others."""
    coin = mined_coins(payout.chain, state.height).order_by("-amount_minor", "pk").first()
    if coin is None:
        raise SignerRefused("no free coin to raise the fee with", code="coins_short")
    hold_coins(payout, [coin])
    return coin
