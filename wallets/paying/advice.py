"""Ask a node for what the signer must know, before any transaction begins."""

from datetime import datetime

from wallets import states
from wallets.addresses import house_address
from wallets.chains.protocol import Chain
from wallets.models import Attempt
from wallets.signer.advice import Advice


def gather_advice(node: Chain, *, at: datetime, by: str = "machine", because: str = "") -> Advice:
    """Return what holds for every payout of a chain at this moment; `gas` is left 0, it depends on the target.

    Raises: ChainError.
    """
    fees = node.fee_quote()
    house = house_address(chain=node.code, at=at).address
    return Advice(
        chain=node.code,
        chain_id=node.chain_id,
        fee_rate_minor=fees.per_unit_minor,
        relay_rate_minor=fees.floor_minor,
        base_minor=fees.base_minor,
        priority_minor=fees.priority_minor,
        gas=0,
        first_nonce=node.next_nonce(house) if node.has_nonces else None,
        balance_minor=node.balance([house])[house] if node.has_nonces else None,
        in_mempool=() if node.has_nonces else _ours_in_mempool(node),
        at_iso=at.isoformat(),
        by=by,
        because=because,
    )


def _ours_in_mempool(node: Chain) -> tuple[str, ...]:
    """Say which of our unmined transactions the node holds now: what was sent once need not exist any more."""
    unmined = Attempt.objects.filter(chain=node.code, block_height=None)
    unmined = unmined.filter(payout__state__in=(states.SIGNED, states.BROADCAST))
    ours = set(unmined.values_list("txid", flat=True))
    return tuple(sorted(ours & set(node.list_mempool()))) if ours else ()
