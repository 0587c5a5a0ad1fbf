"""Whether a posting's entry and account exist is judged once per statement, not by a look-up for every row."""

import django.db.models.deletion
from django.db import migrations, models

# Both as in 0002, but: only a batch with a repeat in it looks for a clash; what each posting names must be there, since
# no foreign key says so any more (entries and accounts are never deleted).
FORWARD = r"""
CREATE OR REPLACE FUNCTION ledger_post(payload jsonb) RETURNS TABLE (ordinal int, created boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    clash text;
    news boolean[];
BEGIN
    INSERT INTO ledger_ledgeraccount (kind, asset_id, owner_ref, floor)
    SELECT DISTINCT l->>0, l->>1, l->>2, (l->>3)::smallint
    FROM jsonb_array_elements(payload) e, jsonb_array_elements(e->'legs') l
    WHERE NOT EXISTS (SELECT 1 FROM ledger_ledgeraccount a
                      WHERE a.kind = l->>0 AND a.asset_id = l->>1 AND a.owner_ref = l->>2)
    ORDER BY 1, 2, 3
    ON CONFLICT ON CONSTRAINT ledger_account_unique DO NOTHING;

    SELECT e->>'reverses' INTO clash FROM jsonb_array_elements(payload) e
    WHERE e->>'reverses' <> '' AND NOT EXISTS (SELECT 1 FROM ledger_entry r WHERE r.reference = e->>'reverses') LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger_reference_conflict: nothing to reverse at %', clash USING ERRCODE = 'XX000';
    END IF;

    WITH input AS (
        SELECT (x.o - 1)::int AS ord, x.e, x.e->>'reference' AS ref FROM jsonb_array_elements(payload)
        WITH ORDINALITY x(e, o)
    ), firsts AS (
        SELECT DISTINCT ON (ref) ord, e, ref FROM input ORDER BY ref, ord
    ), fresh AS (
        INSERT INTO ledger_entry (reference, input_hash, reason, occurred_at, reverses_id)
        SELECT ref, e->>'hash', e->>'reason', (e->>'occurred_at')::timestamptz,
               (SELECT r.id FROM ledger_entry r WHERE r.reference = NULLIF(e->>'reverses', ''))
        FROM firsts ORDER BY ref  -- one order for all callers: two batches with common references cannot deadlock
        ON CONFLICT (reference) DO NOTHING
        RETURNING id, reference
    ), legs AS (
        INSERT INTO ledger_posting (entry_id, account_id, amount_minor)
        SELECT fresh.id, a.id, (l.v->>4)::numeric
        FROM fresh JOIN firsts ON firsts.ref = fresh.reference
        CROSS JOIN jsonb_array_elements(firsts.e->'legs') WITH ORDINALITY l(v, n)
        JOIN ledger_ledgeraccount a ON a.kind = l.v->>0 AND a.asset_id = l.v->>1 AND a.owner_ref = l.v->>2
        ORDER BY fresh.id, l.n
        RETURNING 1
    )
    SELECT array_agg(fresh.id IS NOT NULL AND EXISTS (SELECT 1 FROM firsts WHERE firsts.ord = input.ord) ORDER BY input.ord)
    INTO news FROM input LEFT JOIN fresh ON fresh.reference = input.ref;
    RETURN QUERY SELECT (n.place - 1)::int, n.is_new FROM unnest(news) WITH ORDINALITY n(is_new, place);
    IF true = ALL (news) THEN
        RETURN;
    END IF;

    SELECT e->>'reference' INTO clash
    FROM jsonb_array_elements(payload) e JOIN ledger_entry k ON k.reference = e->>'reference'
    WHERE k.input_hash <> e->>'hash' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger_reference_conflict: % was posted with other contents', clash USING ERRCODE = 'XX000';
    END IF;
END $$;

CREATE OR REPLACE FUNCTION ledger_keep_balances() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE off text;
BEGIN
    SELECT format('entry %s, account %s', f.entry_id, f.account_id) INTO off
    FROM fresh f LEFT JOIN ledger_ledgeraccount a ON a.id = f.account_id LEFT JOIN ledger_entry e ON e.id = f.entry_id
    WHERE a.id IS NULL OR e.id IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger_unknown: a posting names what is not there (%)', off
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    SELECT format('entry %s does not sum to zero in %s', f.entry_id, a.asset_id) INTO off
    FROM fresh f JOIN ledger_ledgeraccount a ON a.id = f.account_id
    GROUP BY f.entry_id, a.asset_id HAVING sum(f.amount_minor) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger_unbalanced: %', off USING ERRCODE = 'check_violation';
    END IF;
    SELECT f.entry_id::text INTO off FROM (SELECT entry_id, count(*) AS legs FROM fresh GROUP BY 1) f
    WHERE f.legs <> (SELECT count(*) FROM ledger_posting p WHERE p.entry_id = f.entry_id) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger_immutable: entry % was posted before; nothing may be added', off
            USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM 1 FROM ledger_balance WHERE account_id IN (SELECT account_id FROM fresh) ORDER BY account_id FOR UPDATE;
    UPDATE ledger_balance b SET amount_minor = b.amount_minor + s.total
    FROM (SELECT account_id, sum(amount_minor) AS total FROM fresh GROUP BY 1) s
    WHERE b.account_id = s.account_id AND s.total <> 0;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_guards")]
    operations = [
        migrations.RunSQL(FORWARD, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="posting",
            name="account",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="postings",
                to="ledger.ledgeraccount",
            ),
        ),
        migrations.AlterField(
            model_name="posting",
            name="entry",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="postings",
                to="ledger.entry",
            ),
        ),
    ]
