"""What each signer still lets go by itself is a row, and told to whoever asks whether an asset can be sold."""

import core.models
from django.db import migrations, models

STANDING = r"""
CREATE OR REPLACE FUNCTION wallets_standing() RETURNS TABLE (chain text, facts jsonb)
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
                  AND (k.attempt_id IS NULL OR t.block_height IS NOT NULL
                       OR t.sent_at > now() - interval '2 minutes')
                  AND (k.deposit_id IS NULL OR d.mature_height <= c.height)
                  AND NOT EXISTS (SELECT 1 FROM wallets_coinhold h JOIN wallets_payout q ON q.id = h.payout_id
                                  WHERE h.chain = k.chain AND h.txid = k.txid AND h.vout = k.vout
                                    AND q.state IN ('SIGNED', 'BROADCAST', 'IN_DOUBT'))
                ORDER BY k.amount_minor DESC LIMIT 20) free),
        'set_aside', (SELECT count(*) FROM wallets_quarantine q
                      WHERE q.chain = c.code AND q.resolved_at IS NULL AND q.what = 'own'),
        'signer', (SELECT to_jsonb(r) FROM wallets_signerroom r WHERE r.chain = c.code),
        -- What a person has to approve counts in no span of the signer's (wallets.signer.ceilings).
        'asked', (SELECT COALESCE(sum(p.reserved_minor), 0) FROM wallets_payout p
                  WHERE p.chain = c.code AND p.state = 'REQUESTED' AND p.problem NOT LIKE 'above_price:%'
                    AND p.reserved_minor <= (SELECT r.payout_minor FROM wallets_signerroom r WHERE r.chain = c.code)),
        'untried_since', (SELECT min(p.requested_at) FROM wallets_payout p
                          WHERE p.chain = c.code AND p.state = 'REQUESTED' AND p.tried_at IS NULL),
        'unsent_since', (SELECT min(p.signed_at) FROM wallets_payout p
                         WHERE p.chain = c.code AND p.state = 'SIGNED'),
        'lane_since', (SELECT p.signed_at FROM wallets_payout p JOIN wallets_noncehold n ON n.payout_id = p.id
                       WHERE p.chain = c.code AND p.state IN ('SIGNED', 'BROADCAST') AND n.spent_txid = ''
                         AND NOT EXISTS (SELECT 1 FROM wallets_attempt m
                                         WHERE m.payout_id = p.id AND m.block_height IS NOT NULL)
                       ORDER BY n.nonce LIMIT 1))
    FROM wallets_chainstate c
$$;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('wallets', '0016_pegout_sight'),
    ]

    operations = [
        migrations.CreateModel(
            name='SignerRoom',
            fields=[
                ('chain', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('payout_minor', core.models.MinorField(decimal_places=0, max_digits=38)),
                ('hour_minor', core.models.MinorField(decimal_places=0, max_digits=38)),
                ('day_minor', core.models.MinorField(decimal_places=0, max_digits=38)),
                ('funded_hour_minor', core.models.MinorField(decimal_places=0, max_digits=38)),
                ('hour_left_minor', core.models.MinorField(decimal_places=0, max_digits=38)),
                ('day_left_minor', core.models.MinorField(decimal_places=0, max_digits=38)),
                ('funded_left', models.JSONField()),
            ],
        ),
        migrations.RunSQL(STANDING, migrations.RunSQL.noop),
    ]
