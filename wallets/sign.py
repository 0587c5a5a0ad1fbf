"""The worker's part of signing: which payouts wait, what the node says about each, and what the signer answered."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet

from core.each import for_each
from core.locks import lock_rows
from wallets import states
from wallets.chains.protocol import Chain, ChainError, TargetRefuses
from wallets.journal import check_latest, list_explained_debts
from wallets.models import Payout
from wallets.paying.advice import gather_advice
from wallets.paying.refusals import wants_approval
from wallets.paying.signing import FAILED, can_sign, request_signature
from wallets.payouts import debt_of, reject_payout
from wallets.scan_state import find_problem, get_state, native_asset
from wallets.signer.advice import Advice

log = logging.getLogger(__name__)


def sign_payouts(*, node: Chain, at: datetime, limit: int = 100, step: Callable[[str], None] = lambda _: None) -> int:
    """Ask for the signatures of up to `limit` requested payouts of a chain and return how many were given.

    Oldest first, but what could not be signed goes to the end of the line, so that nothing waits behind it.

    The node is asked who it is, what fees it advises and (where there are nonces) whether a target is a contract, all
    before the signer is. `step` is told the name of each step, for tests that kill the process between two of them.
    """
    if not can_sign() or not check_latest(at=at):
        return 0
    waiting = _leave_out_paid(Payout.objects.filter(chain=node.code, state=states.REQUESTED))
    waiting = waiting.order_by(F("tried_at").asc(nulls_first=True), "pk")  # those tried in vain come after the others
    todo = list(waiting.values_list("pk", "address")[:limit])
    if not todo:
        return 0
    try:
        if find_problem(state=get_state(node.code), tip=node.tip(), identity=node.identity(), at=at):
            return 0
        advice = gather_advice(node, at=at)
    except ChainError:
        return 0  # the scan reports a node that does not answer; here there is simply nothing to do

    def sign(row: tuple[int, str]) -> bool:
        done = _sign_one(row[0], row[1], node, advice)
        step("signed")
        return done

    return for_each(todo, sign)


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


def _sign_one(payout_id: int, address: str, node: Chain, advice: Advice) -> bool:
    try:
        if not node.is_payable(address):
            _reject(payout_id, f"the node does not take {address} for an address", advice.at)
            return False
        gas = node.estimate_gas(address) if node.has_nonces else 0
        most = native_asset(node.code).payout_units
        if gas > most:
            # Whoever chose the address is charged a plain payment: what its contract does with the rest is not ours to pay.
            _reject(payout_id, f"target_costly: a payment to {address} takes {gas} gas, more than {most}", advice.at)
            return False
    except TargetRefuses as refusal:
        # It may take payments whenever its owner likes. Waiting for that, with a refund offered meanwhile, would leave it
        # to the owner which of the two is worth more; so the exchange stands, and the owner gives another address.
        _reject(payout_id, f"target_refuses: {refusal}", advice.at)
        return False
    except ChainError as error:
        problem = f"node_silent: {error}"
    else:
        outcome = request_signature(action="pay", payout_id=payout_id, advice=replace(advice, gas=gas))
        if outcome.signed:
            return True
        problem = outcome.problem
        if outcome.code == "nothing_to_join":
            _reject(payout_id, problem, advice.at)
            return False
    # A signer that fails has tried nothing: the payout stays untried, which soon pauses what it would have to pay.
    code = problem.partition(":")[0]
    tried = {} if code in FAILED else {"tried_at": advice.at}
    if wants_approval(problem) and not Payout.objects.filter(pk=payout_id, problem__startswith=f"{code}:").exists():
        log.warning("payout %s waits for a person (approve_payout): %s", payout_id, problem)
    with transaction.atomic():
        Payout.objects.filter(pk=payout_id, state=states.REQUESTED).update(problem=problem[:300], **tried)
    return False


def _reject(payout_id: int, problem: str, at: datetime) -> None:
    """Refuse an intent before anything is signed; the order's next actor becomes the operator."""
    with transaction.atomic():
        (payouts,) = lock_rows(Payout.objects.filter(pk=payout_id, state=states.REQUESTED).select_related("asset"))
        if payouts:
            reject_payout(payouts[0], problem=problem, at=at)
