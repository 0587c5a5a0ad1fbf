"""Match what left our wallet on the chain with the payouts that explain it: after a restore, for a person to read."""

from wallets.chains.protocol import Chain
from wallets.models import Address, Attempt, Deposit


def match_outgoing(*, node: Chain, since_height: int) -> list[str]:
    """Read the chain from a height and return every outgoing transaction of ours that no intent explains.

    Needed after a restore: what the journal or the chain knows and the database does not must be understood by a person
    before payouts are unfrozen. Progress is the caller's to show; costs one node call per block.
    """
    ours = set(Address.objects.filter(chain=node.code, owner_ref="").values_list("address", flat=True))
    strangers = []
    tip = node.tip().height
    for height in range(max(since_height, 0), tip + 1):
        block_hash = node.block_hash(height)
        if block_hash is None:
            break
        for tx in node.read_block(block_hash).txs:
            change_to_us = bool(tx.spends) and any(m.address in ours for m in tx.movements)
            if (tx.sender in ours or (change_to_us and _spends_ours(node.code, tx.spends))) and not _known(
                node, tx.txid
            ):
                strangers.append(tx.txid)
    return strangers


def _known(node: Chain, txid: str) -> bool:
    return Attempt.objects.filter(chain=node.code, txid=txid).exists()


def _spends_ours(chain: str, spends: tuple[tuple[str, int], ...]) -> bool:
    txids = [txid for txid, _ in spends]
    return (
        Deposit.objects.filter(chain=chain, txid__in=txids).exists()
        or Attempt.objects.filter(chain=chain, txid__in=txids).exists()
    )
