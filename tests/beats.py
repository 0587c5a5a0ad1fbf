"""What a healthy site writes by itself: heartbeats of all work, and coins that can pay; for tests without workers."""

import secrets

from core.clock import now
from core.heartbeat import beat
from wallets.models import Address, Coin, SignerRoom

WORK = (
    "default",
    "prices",
    "deadlines",
    "publish",
    *(f"{name}:{chain}" for name in ("scan", "orders", "pay", "signer") for chain in ("litecoin", "ethereum")),
    *(f"reconcile:{asset}" for asset in ("LTC", "ETH")),
)


FAR = 10**30


def everything_works() -> None:
    """Let every kind of work have been done just now, and the ceilings of each signer be far away."""
    for name in WORK:
        beat(name)
    for chain, other in (("litecoin", "ethereum"), ("ethereum", "litecoin")):
        set_room(chain, funded_left={other: FAR})


def set_room(chain: str, *, funded_left: dict[str, int], payout: int = FAR, hour: int = FAR, day: int = FAR) -> None:
    """Write what a network's signer lets go, in its place: the ceiling of one payout, and what is left of each span."""
    row = {
        "at": now(),
        "payout_minor": payout,
        "hour_minor": FAR,
        "day_minor": FAR,
        "funded_hour_minor": FAR,
        "hour_left_minor": hour,
        "day_left_minor": day,
        "funded_left": funded_left,
    }
    SignerRoom.objects.update_or_create(chain=chain, defaults=row)


def give_coins(chain: str, minor: int, *, pieces: int) -> None:
    """Give the house wallet of a chain with outputs `pieces` equal coins that come to `minor`, as rows alone."""
    address, _ = Address.objects.get_or_create(
        chain=chain, address=f"{chain} house", defaults={"account": 9, "branch": 1, "index": 0, "created_at": now()}
    )
    for place in range(pieces):
        Coin.objects.create(
            chain=chain, txid=secrets.token_hex(32), vout=place, address=address, amount_minor=minor // pieces
        )
