"""Payouts that went wrong, for a person: what the chain says of each, and the verbs that close it by that evidence.

Every verb looks at the chain itself before it writes, so that what is typed can be wrong without harm.
"""

from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from embit.transaction import Transaction

from core.errors import DomainError
from core.locks import lock_rows
from core.money import Money
from ledger.post import post_entries
from ledger.reserve import settle_entry
from ledger.reverse import reverse_entry
from wallets import states
from wallets.addresses import house_text
from wallets.chains.protocol import Chain, Tx
from wallets.models import Attempt, ChainState, Coin, CoinHold, Deposit, Evidence, NonceHold, Payout
from wallets.paying.advice import gather_advice
from wallets.record import find_raw
from wallets.signer.advice import Outcome
from wallets.signer.again import reopen
from wallets.signer.death import final_height, find_killer
from wallets.signer.evidence import note_evidence

# What a person can do about a payout in each state; the words say what happens then.
MOVES: dict[str, dict[str, str]] = {
    states.REQUESTED: {
        "wait": "signing is tried again with every round; `problem` says what it waits for",
        "approve": "over a ceiling or above the price: approve_payout NUMBER --because REASON lets this one payment go",
        "redirect": "send it to another address of the owner's",
    },
    states.SIGNED: {
        "wait": "it is sent every half minute and outbid when its fee is refused",
        "again": "when every attempt is proven dead: sign it anew from other coins",
        "paid-by": "when another transaction on the chain paid it with the same coin or nonce: close it by that one",
    },
    states.BROADCAST: {
        "wait": "it is sent every half minute and outbid when no block takes it",
        "again": "when every attempt is proven dead: sign it anew from other coins",
        "paid-by": "when another transaction on the chain paid it with the same coin or nonce: close it by that one",
    },
    states.IN_DOUBT: {
        "again": "when what took its coin or nonce did not pay it: sign it anew",
        "paid-by": "when what took its coin or nonce did pay it: close it by that transaction",
    },
    states.REVERTED: {
        "again": "ask for the same debt anew, at the same address",
        "redirect": "ask for it at another address of the owner's, where the chain would refuse this one again",
    },
    states.REJECTED: {"redirect": "send it to another address of the owner's"},
    states.CONFIRMED: {},
}


class CaseNotProven(DomainError):
    code = "case_not_proven"
    message = _("The chain does not show this: %(reason)s.")


@dataclass(frozen=True, slots=True)
class Case:
    """What is known about one payout, line by line, and what may be done about it."""

    payout: Payout
    lines: list[str] = field(default_factory=list)

    @property
    def moves(self) -> dict[str, str]:
        return MOVES[self.payout.state]


def look_at(*, payout_id: int, node: Chain) -> Case:
    """Gather what rows and node say of a payout: attempts, what took their coins or nonce, evidence. Raises: ChainError."""
    payout = Payout.objects.select_related("asset").get(pk=payout_id)
    case = Case(payout)
    final = _final(payout)
    for attempt in payout.attempts.order_by("n"):
        said = node.find_tx(attempt.txid, raw=attempt.raw)
        killer = find_killer(attempt, final=final)
        fate = f"dead: {killer} took its coin or nonce" if killer else f"the node says: {said.state}"
        kind = "" if attempt.pays else " (a transfer to ourselves)"
        case.lines.append(f"attempt {attempt.n}{kind} {attempt.txid} fee at most {attempt.fee_minor}: {fate}")
    for txid in sorted(_spenders(payout)):
        pays = _pays(_read_mined(node, txid), payout)
        case.lines.append(f"{txid} used its coin or nonce and {'pays it' if pays else 'does not pay it'}")
    for seen in Evidence.objects.filter(payout=payout).order_by("pk"):
        case.lines.append(f"{seen.at:%Y-%m-%d %H:%M:%S} {seen.by}: {seen.code}: {seen.words}")
    return case


def _final(payout: Payout) -> int:
    return final_height(payout.asset, ChainState.objects.get(code=payout.chain).height)


def _spenders(payout: Payout) -> set[str]:
    """Return the mined transactions, none of this payout's own, that used what it holds."""
    own = set(payout.attempts.values_list("txid", flat=True))
    found = set(NonceHold.objects.filter(payout=payout).exclude(spent_txid="").values_list("spent_txid", flat=True))
    held = set(CoinHold.objects.filter(payout=payout).values_list("txid", "vout"))
    for coin in Coin.objects.filter(chain=payout.chain, txid__in=[outpoint[0] for outpoint in held]):
        if (coin.txid, coin.vout) in held:
            found |= {coin.spent_txid, coin.void_txid}
    return found - own - {""}


def _read_mined(node: Chain, txid: str) -> Tx:
    """Raises: ChainError; CaseNotProven when no block holds it."""
    status = node.find_tx(txid)
    if status.state != "mined" or not status.block_hash:
        raise CaseNotProven(reason=f"no block holds {txid}, the node says {status.state}")
    return next(tx for tx in node.read_block(status.block_hash).txs if tx.txid == txid)


def _pays(tx: Tx, payout: Payout) -> bool:
    return tx.ok and any(m.address == payout.address and m.minor == payout.amount_minor for m in tx.movements)


def sign_anew(*, payout_id: int, node: Chain, at: datetime, by: str, because: str) -> Outcome:
    """Let a payout be signed again once everything that was signed for it is proven dead, by a person's decision.

    First looks whether the transactions that made its coins were spent elsewhere: a deposit that was double-spent leaves
    no other trace in our rows. Raises: ChainError, CaseNotProven.
    """
    payout = Payout.objects.select_related("asset").get(pk=payout_id)
    for txid in _spenders(payout):
        if _pays(_read_mined(node, txid), payout):
            raise CaseNotProven(reason=f"{txid} pays this debt: close it with --paid-by")
    _note_double_spends(payout, node, at, by)
    # Rows alone, no key: so it is done where the person's command runs, which reaches no signer.
    outcome = reopen(payout_id, gather_advice(node, at=at, by=by, because=because))
    if outcome.code != "reopened":
        raise CaseNotProven(reason=outcome.words)
    return outcome


def _note_double_spends(payout: Payout, node: Chain, at: datetime, by: str) -> None:
    """Look through the latest blocks for who spent what the payout's vanished deposits spent. One call per block."""
    held = set(CoinHold.objects.filter(payout=payout).values_list("txid", "vout"))
    gone = Deposit.objects.filter(chain=payout.chain, state=states.REMOVED, txid__in=[outpoint[0] for outpoint in held])
    raws = {txid: find_raw(chain=payout.chain, txid=txid) for txid in gone.values_list("txid", flat=True)}
    wanted = {
        (spent.txid.hex(), spent.vout): txid
        for txid, raw in raws.items()
        if raw
        for spent in Transaction.parse(bytes.fromhex(raw)).vin
    }
    if not wanted:
        return
    tip = node.tip().height
    for height in range(max(tip - settings.DEEPEST_ROLLBACK, 0), tip + 1):
        block_hash = node.block_hash(height)
        for tx in node.read_block(block_hash).txs if block_hash else ():
            for txid in {wanted[outpoint] for outpoint in tx.spends if outpoint in wanted} - {tx.txid}:
                with transaction.atomic():
                    Coin.objects.filter(chain=payout.chain, txid=txid).update(void_txid=tx.txid, void_height=height)
                    words = f"{tx.txid} in block {height} spends what deposit {txid} spent: that deposit will never be"
                    note_evidence(payout, at=at, by=by, code="double_spent", words=words)


def close_as_paid(*, payout_id: int, txid: str, node: Chain, at: datetime, by: str, because: str) -> Payout:
    """Settle a payout by a mined transaction that paid it and is none of its own attempts.

    Only one that used the payout's own coin or nonce, pays exactly its amount to its address and is at payout depth: so
    none of its attempts can pay it a second time. The change that it sent us was taken for a new receipt; that entry is
    reversed. Locks the chain's row and the payout.

    Raises: ChainError, CaseNotProven.
    """
    payout = Payout.objects.select_related("asset").get(pk=payout_id)
    tx = _read_mined(node, txid)
    height = int(node.find_tx(txid).block_height or 0)
    if txid not in _spenders(payout):
        raise CaseNotProven(reason=f"{txid} does not use the coin or nonce of this payout")
    if not _pays(tx, payout):
        raise CaseNotProven(reason=f"{txid} does not pay {payout.amount_minor} to {payout.address}")
    if height > _final(payout):
        raise CaseNotProven(reason=f"{txid} in block {height} is not deep enough yet")
    fee = _fee_of(tx, payout)
    if fee > payout.fee_cap_minor:
        raise CaseNotProven(reason=f"its fee {fee} is over the payout's cap, so it was not signed here")
    with transaction.atomic():
        open_states = (states.SIGNED, states.BROADCAST, states.IN_DOUBT)
        (_lanes, payouts) = lock_rows(
            ChainState.objects.filter(code=payout.chain),
            Payout.objects.filter(pk=payout_id, state__in=open_states).select_related("asset"),
        )
        if not payouts:
            raise CaseNotProven(reason="the payout is not open any more")
        return _settle(payouts[0], tx, height, fee, at, by, because)


def _fee_of(tx: Tx, payout: Payout) -> int:
    """Return what a transaction cost us: told by chains with gas, else inputs, all of them coins of ours, less outputs."""
    if tx.fee_minor is not None:
        return tx.fee_minor
    known = {(c.txid, c.vout): c.amount_minor for c in Coin.objects.filter(chain=payout.chain, spent_txid=tx.txid)}
    if any(outpoint not in known for outpoint in tx.spends):
        raise CaseNotProven(reason=f"{tx.txid} spends coins that are not ours, so its fee is unknown")
    return sum(map(int, known.values())) - sum(movement.minor for movement in tx.movements)


def _settle(payout: Payout, tx: Tx, height: int, fee: int, at: datetime, by: str, because: str) -> Payout:
    states.PAYOUT.check(payout.state, states.CONFIRMED)
    payout.state, payout.news, payout.problem = states.CONFIRMED, True, ""
    payout.txid, payout.fee_minor, payout.block_height, payout.confirmed_at = tx.txid, fee, height, at
    payout.save(update_fields=("state", "news", "problem", "txid", "fee_minor", "block_height", "confirmed_at"))
    Attempt.objects.filter(payout=payout).update(next_send_at=None, answer="paid by another transaction")
    note_evidence(payout, at=at, by=by, code="paid_by", words=f"{tx.txid}: {because}")
    change = Deposit.objects.filter(
        chain=payout.chain, txid=tx.txid, state=states.CONFIRMED, address__address=house_text(payout.chain)
    )
    for deposit in change:
        reverse_entry(reference=f"deposit:{deposit.pk}", reason="change of a payout", at=at)
    reserved, paid = Money(payout.reserved_minor, payout.asset), Money(payout.amount_minor, payout.asset)
    entry = settle_entry(
        purpose=payout.closing,
        reserved=reserved,
        paid=paid,
        fee=Money(fee, payout.asset),
        owner=payout.owner_ref,
        at=at,
    )
    post_entries([entry])
    return payout
