"""Write signed bytes down as a numbered attempt, with the change they make."""

from datetime import datetime

from wallets.addresses import house_address
from wallets.models import Attempt, Coin, Payout
from wallets.signer.keys import Signed


def store_attempt(payout: Payout, signed: Signed, *, n: int, at: datetime, pays: bool = True) -> Attempt:
    """Store signed bytes as attempt `n`, due to be sent at once, with the change they make. In the caller's transaction."""
    attempt = Attempt.objects.create(
        payout=payout,
        n=n,
        chain=payout.chain,
        txid=signed.txid,
        raw=signed.raw,
        fee_minor=signed.fee_minor,
        rate_minor=signed.rate_minor,
        pays=pays,
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
