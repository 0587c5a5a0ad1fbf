"""The ledger's reader for whoever asks what may be promised: free coins per asset."""

from django.db import migrations

FORWARD = r"""
-- Minor units by asset. Coins that a reorganisation took away (chain:missing, negative) are not there.
CREATE FUNCTION ledger_free_coins() RETURNS TABLE (asset text, minor numeric)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT l.asset_id, sum(
        CASE l.kind WHEN 'chain:spendable' THEN (SELECT b.amount_minor FROM ledger_balance b WHERE b.account_id = l.id)
        ELSE COALESCE(c.amount_minor, 0) + COALESCE((
            SELECT sum(p.amount_minor) FROM ledger_posting p
            WHERE p.account_id = l.id AND p.id > COALESCE(c.posting_id, 0)), 0) END)
    FROM ledger_ledgeraccount l LEFT JOIN ledger_checkpoint c ON c.account_id = l.id
    WHERE l.kind IN ('chain:spendable', 'chain:missing') AND l.owner_ref = ''
    GROUP BY l.asset_id
$$;
"""


class Migration(migrations.Migration):
    dependencies = (("ledger", "0004_function_search_path"),)
    operations = (migrations.RunSQL(FORWARD, "DROP FUNCTION ledger_free_coins()"),)
