"""What a healthy site writes by itself: heartbeats of all work, and coins that can pay; for tests without workers."""

import secrets

from core.clock import now
from core.heartbeat import beat
from wallets.models import Address, Coin

WORK = (
    "default",
    "prices",
    "deadlines",
    "publish",
    *(f"{name}:{chain}" for name in ("scan", "orders", "pay") for chain in ("litecoin", "ethereum")),
    *(f"reconcile:{asset}" for asset in ("LTC", "ETH")),
)


def everything_works() -> None:
    """Let every kind of work have been done just now."""
    for name in WORK:
        beat(name)


def give_coins(chain: str, minor: int, *, pieces: int) -> None:
    """Give the house wallet of a chain with outputs `pieces` equal coins that come to `minor`, as rows alone."""
    address, _ = Address.objects.get_or_create(
        chain=chain, address=f"{chain} house", defaults={"account": 9, "branch": 1, "index": 0, "created_at": now()}
    )
    for place in range(pieces):
        Coin.objects.create(
            chain=chain, txid=secrets.token_hex(32), vout=place, address=address, amount_minor=minor // pieces
        )
