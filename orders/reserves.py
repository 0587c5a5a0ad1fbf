"""What may still be promised: spendable coins less open promises, per asset, and what a payout may cost.

Read from memory for display (at most a second old); read afresh under a lock when a promise is made (orders.open).
"""

import json
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from core.models import Asset
from core.money import Money
from core.snapshot import Snapshot
from wallets.paying.fees import expected_fee, fee_cap


@dataclass(frozen=True, slots=True)
class Reserve:
    """`available` in minor units, never negative; `network_fee` is charged for a payout, `fee_cap` bounds its cost."""

    available: Money
    unfunded: Money  # promised to orders nobody has paid for yet
    network_fee: Money
    fee_cap: Money
    paused: str  # why nothing may be promised now, in a code; empty when it may
    unpaid_of_client: int = 0  # how many unpaid orders the client asked about has, in all assets together


# One statement for all assets, their own rows included: a cold price may cost two statements in all.
# Coins that a reorganisation took away (chain:missing, negative) are not available.
_RESERVES = """
    SELECT to_jsonb(a),
           COALESCE((SELECT sum(b.amount_minor) FROM ledger_ledgeraccount l JOIN ledger_balance b ON b.account_id = l.id
                     WHERE l.asset_id = a.code AND l.kind = 'chain:spendable'), 0)
         + COALESCE((SELECT sum(p.amount_minor) FROM ledger_ledgeraccount l JOIN ledger_posting p ON p.account_id = l.id
                     WHERE l.asset_id = a.code AND l.kind = 'chain:missing'), 0)
         - COALESCE((SELECT sum(o.amount_minor) FROM orders_promise o
                     WHERE o.asset_id = a.code AND o.closed_at IS NULL), 0),
           COALESCE((SELECT sum(o.amount_minor) FROM orders_promise o
                     WHERE o.asset_id = a.code AND o.closed_at IS NULL AND NOT o.funded), 0),
           COALESCE(c.fee_rate_minor, 0),
           CASE WHEN c.code IS NULL OR c.identity = '' THEN 'chain_not_scanned'
                WHEN c.problem <> '' THEN 'chain_problem'
                WHEN EXISTS (SELECT 1 FROM wallets_freeze f
                             WHERE f.lifted_at IS NULL AND f.scope IN ('ALL', a.code)) THEN 'payouts_frozen'
                ELSE '' END,
           (SELECT count(*) FROM orders_promise o
            WHERE o.client_ref = %s AND o.client_ref <> '' AND o.closed_at IS NULL AND NOT o.funded)
    FROM core_asset a LEFT JOIN wallets_chainstate c ON c.code = a.network
    WHERE a.enabled AND a.is_crypto
"""


def read_reserves(client_ref: str = "") -> dict[str, Reserve]:
    """Read all reserves from the database, and what `client_ref` holds of them: one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_RESERVES, [client_ref])
        rows = cursor.fetchall()
    reserves = {}
    for fields, free, unfunded, rate, paused, unpaid in rows:
        asset = Asset(**json.loads(fields))
        reserves[asset.code] = _reserve(asset, int(free), int(unfunded), int(rate), paused, unpaid)
    return reserves


def _reserve(asset: Asset, free: int, unfunded: int, rate_minor: int, paused: str, unpaid: int) -> Reserve:
    # A fixed rate is a free option until it is paid for: unfunded promises together may hold only a share of the coins.
    share = (free + unfunded) * settings.PROMISED_SHARE_PERCENT // 100 - unfunded
    available = Money(max(min(free, share), 0), asset)
    network_fee, cap = expected_fee(asset, rate_minor), fee_cap(asset, rate_minor)
    return Reserve(available, Money(unfunded, asset), network_fee, cap, paused, unpaid)


_kept = Snapshot(read_reserves)


def get_reserves() -> dict[str, Reserve]:
    """Return the reserves by asset code, at most a second old."""
    return _kept.get()
