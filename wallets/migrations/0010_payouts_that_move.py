"""Attempts that only use a nonce up, what made a coin or a nonce unusable, and evidence that is only added to."""

import django.db.models.deletion
from django.db import migrations, models


# A hold passes on when the payout that had it can no longer spend its coin: over, or asked for anew.
KEPT = r"""
CREATE OR REPLACE FUNCTION wallets_keep_coinhold() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.chain, NEW.txid, NEW.vout) IS DISTINCT FROM (OLD.chain, OLD.txid, OLD.vout)
       OR NEW.payout_id <> OLD.payout_id AND EXISTS (
           SELECT FROM wallets_payout p WHERE p.id = OLD.payout_id AND p.state IN ('SIGNED', 'BROADCAST', 'IN_DOUBT')) THEN
        RAISE EXCEPTION 'hold_immutable: coin hold % cannot change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER evidence_kept BEFORE UPDATE OR DELETE ON wallets_evidence
    FOR EACH ROW EXECUTE FUNCTION wallets_refuse_removal();
CREATE TRIGGER evidence_no_truncate BEFORE TRUNCATE ON wallets_evidence
    FOR EACH STATEMENT EXECUTE FUNCTION wallets_refuse_removal();
CREATE TRIGGER attempt_pays_kept BEFORE UPDATE ON wallets_attempt
    FOR EACH ROW WHEN (NEW.pays IS DISTINCT FROM OLD.pays) EXECUTE FUNCTION wallets_refuse_removal();
"""
# As before, but for which coins are free: change that no block holds may vanish, and a hold counts while its payout may
# still spend its coin. The head of a lane is a nonce that no block has used.
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
                  AND (k.attempt_id IS NULL OR t.block_height IS NOT NULL)
                  AND (k.deposit_id IS NULL OR d.mature_height <= c.height)
                  AND NOT EXISTS (SELECT 1 FROM wallets_coinhold h JOIN wallets_payout q ON q.id = h.payout_id
                                  WHERE h.chain = k.chain AND h.txid = k.txid AND h.vout = k.vout
                                    AND q.state IN ('SIGNED', 'BROADCAST', 'IN_DOUBT'))
                ORDER BY k.amount_minor DESC LIMIT 20) free),
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
BACK = """
DROP TRIGGER attempt_pays_kept ON wallets_attempt;
DROP TRIGGER evidence_no_truncate ON wallets_evidence;
DROP TRIGGER evidence_kept ON wallets_evidence;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0001_initial'),
        ('wallets', '0009_fixed_columns'),
    ]

    operations = [
        migrations.CreateModel(
            name='Evidence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('by', models.CharField(max_length=64)),
                ('code', models.CharField(max_length=40)),
                ('words', models.CharField(max_length=300)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='payout',
            name='payout_fee_within_cap',
        ),
        migrations.AddField(
            model_name='attempt',
            name='pays',
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddField(
            model_name='coin',
            name='void_height',
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='coin',
            name='void_txid',
            field=models.CharField(blank=True, db_default='', max_length=80),
        ),
        migrations.AddField(
            model_name='noncehold',
            name='spent_height',
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='noncehold',
            name='spent_txid',
            field=models.CharField(blank=True, db_default='', max_length=80),
        ),
        migrations.AddConstraint(
            model_name='payout',
            constraint=models.CheckConstraint(condition=models.Q(('fee_minor__isnull', True), ('fee_minor__lte', models.F('fee_cap_minor')), ('state', 'REVERTED'), _connector='OR'), name='payout_fee_within_cap'),
        ),
        migrations.AddField(
            model_name='evidence',
            name='payout',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='evidence', to='wallets.payout'),
        ),
        migrations.AddIndex(
            model_name='evidence',
            index=models.Index(fields=['payout', 'id'], name='evidence_of_payout'),
        ),
        migrations.RunSQL(KEPT, BACK),
        migrations.RunSQL(STANDING, migrations.RunSQL.noop),
    ]
