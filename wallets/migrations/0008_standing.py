"""The wallets' reader for whoever asks whether an asset can be sold: one row per chain, and the scopes that are frozen."""

from django.db import migrations

FORWARD = r"""
-- Per chain: the node's trust and the scan's age, the free coins (largest first, as wallets.coins takes them), and how
-- long payouts have been waiting for a first try, for a node to take them, and at the head of a nonce lane.
-- Invoker's rights: it shows a role only what that role may read.
CREATE FUNCTION wallets_standing() RETURNS TABLE (chain text, facts jsonb)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT c.code, jsonb_build_object(
        'identity', c.identity,
        'problem', c.problem,
        'scan_started_at', c.scan_started_at,
        'fee_rate', c.fee_rate_minor,
        'coins', (
            SELECT COALESCE(jsonb_agg(free.amount_minor), '[]'::jsonb) FROM (
                SELECT k.amount_minor FROM wallets_coin k
                LEFT JOIN wallets_attempt t ON t.id = k.attempt_id
                LEFT JOIN wallets_deposit d ON d.id = k.deposit_id
                WHERE k.chain = c.code AND k.usable AND k.spent_txid = ''
                  AND (k.attempt_id IS NULL OR t.sent_at IS NOT NULL OR t.block_height IS NOT NULL)
                  AND (k.deposit_id IS NULL OR d.mature_height <= c.height)
                  AND NOT EXISTS (SELECT 1 FROM wallets_coinhold h
                                  WHERE h.chain = k.chain AND h.txid = k.txid AND h.vout = k.vout)
                ORDER BY k.amount_minor DESC LIMIT 20) free),
        'untried_since', (SELECT min(p.requested_at) FROM wallets_payout p
                          WHERE p.chain = c.code AND p.state = 'REQUESTED' AND p.tried_at IS NULL),
        'unsent_since', (SELECT min(p.signed_at) FROM wallets_payout p
                         WHERE p.chain = c.code AND p.state = 'SIGNED'),
        'lane_since', (SELECT p.signed_at FROM wallets_payout p JOIN wallets_noncehold n ON n.payout_id = p.id
                       WHERE p.chain = c.code AND p.state IN ('SIGNED', 'BROADCAST') AND p.block_height IS NULL
                       ORDER BY n.nonce LIMIT 1))
    FROM wallets_chainstate c
$$;

CREATE FUNCTION wallets_frozen() RETURNS jsonb
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT COALESCE(jsonb_agg(DISTINCT f.scope), '[]'::jsonb) FROM wallets_freeze f WHERE f.lifted_at IS NULL
$$;
"""

BACKWARD = "DROP FUNCTION wallets_standing(); DROP FUNCTION wallets_frozen();"


class Migration(migrations.Migration):
    dependencies = (("wallets", "0007_function_search_path"),)
    operations = (migrations.RunSQL(FORWARD, BACKWARD),)
