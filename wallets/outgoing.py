"""Our own coins leaving: payouts seen mined, and the alarm when something of ours is spent that we did not sign."""

from datetime import datetime

from django.db.models import F, Q

from ledger.post import NewEntry
from ledger.reverse import reverse_entry
from wallets import states
from wallets.chains.protocol import Block, Tx
from wallets.freeze import freeze
from wallets.models import Address, Attempt, ChainState, Coin, CoinHold, NonceHold, Payout
from wallets.payouts import debt_of
from wallets.safety.house import forget_mined, note_mined
from wallets.scan_state import native_asset
from wallets.signer.death import find_killer
from wallets.signer.evidence import REOPENED, note_evidence


def note_outgoing(*, chain: str, block: Block, at: datetime) -> None:
    """Mark mined attempts and spent coins of a block. Runs in wallets.record's transaction."""
    by_txid = {tx.txid: tx for tx in block.txs}
    ours = {
        row.txid: row for row in Attempt.objects.filter(chain=chain, txid__in=list(by_txid)).select_related("payout")
    }
    for txid, attempt in ours.items():
        _mark_mined(attempt, by_txid[txid], block)
    # What a person announced is no theft, and neither is what was booked already and is read once more.
    explained = set(ours) | note_mined(chain=chain, txs=by_txid, height=block.height)
    _mark_spent(chain, block, explained, at)
    _watch_senders(chain, block, explained, at)


def _mark_mined(attempt: Attempt, tx: Tx, block: Block) -> None:
    attempt.block_height, attempt.block_hash = block.height, block.hash
    attempt.reverted, attempt.mined_fee_minor = not tx.ok, tx.fee_minor
    attempt.next_send_at, attempt.answer = None, "mined"
    attempt.save(update_fields=("block_height", "block_hash", "reverted", "mined_fee_minor", "next_send_at", "answer"))
    # The other attempts of this payout conflict with the mined one: nothing is left to send, their change never exists.
    if attempt.n > 1 or Attempt.objects.filter(payout=attempt.payout_id, n=2).exists():
        siblings = Attempt.objects.filter(payout=attempt.payout_id).exclude(pk=attempt.pk)
        siblings.update(next_send_at=None, answer="outbid")
        Coin.objects.filter(attempt__payout=attempt.payout_id).exclude(attempt=attempt).update(usable=False)
        Coin.objects.filter(attempt=attempt).update(usable=True)
    if attempt.payout.state == states.SIGNED:
        # Mined although no answer of ours says it was taken: broadcast, by evidence.
        Payout.objects.filter(pk=attempt.payout_id, state=states.SIGNED).update(state=states.BROADCAST, news=True)
        attempt.payout.state = states.BROADCAST


def _mark_spent(chain: str, block: Block, ours: set[str], at: datetime) -> None:
    spends = {outpoint: tx.txid for tx in block.txs for outpoint in tx.spends}
    if not spends:
        return
    candidates = Coin.objects.filter(chain=chain, txid__in={txid for txid, _ in spends})
    for coin in candidates:
        spender = spends.get((coin.txid, coin.vout))
        if spender is None:
            continue
        coin.spent_txid, coin.spent_height = spender, block.height
        coin.save(update_fields=("spent_txid", "spent_height"))
        if spender not in ours:
            holds = CoinHold.objects.filter(chain=chain, txid=coin.txid, vout=coin.vout)
            _alarm(chain, f"coin {coin.txid}:{coin.vout} was spent by {spender}", Q(coin_holds__in=holds), at)


def _watch_senders(chain: str, block: Block, ours: set[str], at: datetime) -> None:
    sent = {tx.txid: tx for tx in block.txs if tx.sender and tx.txid not in ours}
    if not sent:
        return
    mine = set(
        Address.objects.filter(chain=chain, address__in={tx.sender for tx in sent.values()}).values_list(
            "address", flat=True
        )
    )
    for tx in sent.values():
        if tx.sender in mine and tx.nonce is not None:
            holds = NonceHold.objects.filter(chain=chain, sender=tx.sender, nonce=tx.nonce)
            holds.update(spent_txid=tx.txid, spent_height=block.height)
            # A used nonce is a fact: ours go on above it, or every payment from here on would be refused.
            behind = ChainState.objects.filter(code=chain, next_nonce__lte=tx.nonce)
            behind.update(next_nonce=(tx.nonce or 0) + 1)
            _alarm(chain, f"nonce {tx.nonce} of {tx.sender} was used by {tx.txid}", Q(nonce_holds__in=holds), at)


def _alarm(chain: str, what: str, touched: Q, at: datetime) -> None:
    """Something of ours moved without a signature of ours: stop the asset, and put what it touches in doubt."""
    asset = native_asset(chain)
    freeze(scope=asset.code, reason=f"{what}, which this site did not sign", at=at, by="machine")
    touched_now = Payout.objects.filter(touched, state__in=(states.SIGNED, states.BROADCAST, states.IN_DOUBT))
    for payout in touched_now.distinct().order_by("pk"):
        note_evidence(payout, at=at, by="machine", code="used_elsewhere", words=what)
    doubtful = touched_now.exclude(state=states.IN_DOUBT).values_list("pk", flat=True)
    Payout.objects.filter(pk__in=list(doubtful)).update(
        state=states.IN_DOUBT, problem=f"used_elsewhere: {what}"[:300], news=True
    )


def unmine_payouts(*, chain: str, above: int, at: datetime) -> list[NewEntry]:
    """Undo mined payouts above a height: they wait for their block again, and their bytes are sent again.

    A payout that was already confirmed has its settlement reversed; it is settled anew, under a new number, once mined.
    """
    for attempt in Attempt.objects.filter(chain=chain, block_height__gt=above).select_related("payout").order_by("pk"):
        payout = attempt.payout
        if payout.state in (states.CONFIRMED, states.REVERTED):
            if payout.state == states.REVERTED:
                _watch_successors(payout, at)
            states.PAYOUT.check(payout.state, states.BROADCAST)
            reverse_entry(reference=f"close:{payout.closing}", reason="reorganisation", at=at)
            payout.state, payout.reorg_count = states.BROADCAST, payout.reorg_count + 1
            payout.fee_minor, payout.confirmed_at = None, None
        payout.block_height = None
        payout.save(update_fields=("state", "reorg_count", "fee_minor", "confirmed_at", "block_height"))
        attempt.block_height, attempt.block_hash, attempt.reverted = None, "", False
        attempt.next_send_at, attempt.answer = at, "reorganised"
        attempt.save(update_fields=("block_height", "block_hash", "reverted", "next_send_at", "answer"))
    forget_mined(chain=chain, above=above)
    Coin.objects.filter(chain=chain, spent_height__gt=above).update(spent_txid="", spent_height=None)
    Coin.objects.filter(chain=chain, void_height__gt=above).update(void_txid="", void_height=None)
    NonceHold.objects.filter(chain=chain, spent_height__gt=above).update(spent_txid="", spent_height=None)
    _watch_reopened(chain, above, at)
    return []


def _watch_reopened(chain: str, above: int, at: datetime) -> None:
    """What was proven dead by blocks that are gone may pay now, beside what was signed in its place: a person decides."""
    replaced = Attempt.objects.filter(
        chain=chain, payout__evidence__code=REOPENED, signed_at__lt=F("payout__evidence__at"), block_height=None
    )
    for attempt in replaced.select_related("payout").distinct().order_by("pk"):
        if not find_killer(attempt, final=above):
            what = (
                f"{attempt.txid} of {attempt.payout.purpose}, dead until its chain was reorganised, may be mined again"
            )
            freeze(scope=attempt.payout.asset_id, reason=what, at=at, by="machine")
            note_evidence(attempt.payout, at=at, by="machine", code="reorganised", words=what)


def _watch_successors(payout: Payout, at: datetime) -> None:
    """A payment that had failed for good may now succeed. When its debt was asked for again meanwhile, a person decides."""
    later = Payout.objects.filter(owner_ref=payout.owner_ref, pk__gt=payout.pk)
    debt = debt_of(payout.purpose)
    if any(debt_of(purpose) == debt for purpose in later.values_list("purpose", flat=True)):
        what = f"{payout.purpose} had failed for good, lost its block and may pay now, beside the payout in its place"
        freeze(scope=payout.asset_id, reason=what, at=at, by="machine")
        note_evidence(payout, at=at, by="machine", code="reorganised", words=what)
