"""Which attempts can never be mined any more: proven by rows of what blocks hold, never by a node's silence.

An attempt is dead when another transaction has, at payout depth, spent one of its inputs or its nonce, or what made one of
its inputs is itself dead. Only then may a payment be built that does not conflict with it.
"""

from core.assets import confirmations_required
from core.models import Asset
from wallets.chains.signing import read_signed_evm
from wallets.models import Attempt, Coin, NonceHold

_DEEPEST_LINEAGE = 50  # of unmined change upon change; nodes keep 25


def final_height(asset: Asset, height: int) -> int:
    """Return the highest block that is deep enough for a payout to be over, when `height` is the last one read; pure."""
    return height - confirmations_required(asset) + 1


def find_killer(attempt: Attempt, *, final: int, lineage: int = 0) -> str:
    """Return the mined transaction that makes `attempt` impossible for good; empty when nothing proves that.

    `final`: blocks above it prove nothing yet. Some statements for each input.
    """
    if attempt.block_height is not None or lineage > _DEEPEST_LINEAGE:
        return ""
    if attempt.raw.startswith("0x"):
        return _nonce_taken(attempt, final)
    inputs = attempt.list_inputs()
    coins = Coin.objects.filter(chain=attempt.chain, txid__in=[txid for txid, _ in inputs]).select_related("attempt")
    for coin in coins.order_by("pk"):
        if (coin.txid, coin.vout) in inputs and (killer := _coin_gone(coin, attempt.txid, final, lineage)):
            return killer
    return ""


def _nonce_taken(attempt: Attempt, final: int) -> str:
    nonce = read_signed_evm(attempt.raw).nonce
    taken = NonceHold.objects.filter(chain=attempt.chain, nonce=nonce, spent_height__lte=final).exclude(spent_txid="")
    return taken.values_list("spent_txid", flat=True).first() or ""


def _coin_gone(coin: Coin, spender: str, final: int, lineage: int) -> str:
    if coin.spent_txid not in ("", spender) and (coin.spent_height or 0) <= final:
        return coin.spent_txid
    if coin.void_txid and coin.void_height is not None and coin.void_height <= final:
        return coin.void_txid
    return find_killer(coin.attempt, final=final, lineage=lineage + 1) if coin.attempt is not None else ""


def list_alive(payout_id: int, *, final: int) -> list[str]:
    """Return the transactions of a payout that may still be mined."""
    attempts = Attempt.objects.filter(payout=payout_id).order_by("n")
    return [attempt.txid for attempt in attempts if not find_killer(attempt, final=final)]
