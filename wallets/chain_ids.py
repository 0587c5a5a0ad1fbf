"""Which chain id payment requests carry (EIP-155, EIP-681): the one that the first scan pinned. No node is asked."""

from core.snapshot import Snapshot
from wallets.models import ChainState


def _read() -> dict[str, int]:
    """Return the chain ids of the chains that have one: an adapter writes "ID:GENESIS" as its identity."""
    found = {}
    for code, identity in ChainState.objects.values_list("code", "identity"):
        number, colon, _genesis = identity.partition(":")
        if colon and number.isascii() and number.isdigit():
            found[code] = int(number)
    return found


_kept = Snapshot(_read, max_age_s=60)  # pinned for good; only a chain that was never scanned has none yet


def chain_id_of(chain: str) -> int:
    """Return the chain id of a chain, 0 where it has none or was never scanned; one statement a minute at most."""
    return _kept.get().get(chain, 0)
