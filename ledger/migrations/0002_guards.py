"""What SQL holds for the books: the posting function, balance upkeep, zero sums, and no change of history."""

from django.db import migrations

FORWARD = r"""
-- Posting: one call, a batch of entries, each once.
CREATE FUNCTION ledger_post(payload jsonb) RETURNS TABLE (ordinal int, created boolean)
LANGUAGE plpgsql AS $$
DECLARE clash text;
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

    RETURN QUERY
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
    SELECT input.ord, fresh.id IS NOT NULL AND EXISTS (SELECT 1 FROM firsts WHERE firsts.ord = input.ord)
    FROM input LEFT JOIN fresh ON fresh.reference = input.ref;

    SELECT e->>'reference' INTO clash
    FROM jsonb_array_elements(payload) e JOIN ledger_entry k ON k.reference = e->>'reference'
    WHERE k.input_hash <> e->>'hash' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger_reference_conflict: % was posted with other contents', clash USING ERRCODE = 'XX000';
    END IF;
END $$;

-- Balances: a row for each account with a floor, kept by the postings themselves. Definer's rights, because the
-- application's role may not write balances.
CREATE FUNCTION ledger_open_balance() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    INSERT INTO ledger_balance (account_id, floor, amount_minor) VALUES (NEW.id, NEW.floor, 0);
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_open_balance AFTER INSERT ON ledger_ledgeraccount
    FOR EACH ROW WHEN (NEW.floor <> 0) EXECUTE FUNCTION ledger_open_balance();

-- Judges and books the postings of one statement. An entry must be whole in it: each asset sums to zero, and no leg of
-- the entry was there before, so that nothing is added to an old entry, not even a balanced pair.
CREATE FUNCTION ledger_keep_balances() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE off text;
BEGIN
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
CREATE TRIGGER ledger_keep_balances AFTER INSERT ON ledger_posting REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_keep_balances();

-- Checkpoints: LOCK TABLE needs more rights than the application's role has.
CREATE FUNCTION ledger_take_checkpoints() RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE refreshed int;
BEGIN
    LOCK TABLE ledger_posting IN SHARE MODE;
    INSERT INTO ledger_checkpoint (account_id, posting_id, amount_minor)
    SELECT s.id, s.top, s.minor FROM (
        SELECT a.id, COALESCE(c.amount_minor, 0) + sum(p.amount_minor) AS minor, max(p.id) AS top
        FROM ledger_ledgeraccount a
        LEFT JOIN ledger_checkpoint c ON c.account_id = a.id
        JOIN ledger_posting p ON p.account_id = a.id AND p.id > COALESCE(c.posting_id, 0)
        WHERE a.floor = 0 GROUP BY a.id, c.amount_minor) s
    ON CONFLICT (account_id) DO UPDATE SET posting_id = EXCLUDED.posting_id, amount_minor = EXCLUDED.amount_minor;
    GET DIAGNOSTICS refreshed = ROW_COUNT;
    RETURN refreshed;
END $$;

-- An entry without legs is found at commit, whoever inserted it; that its legs balance was judged when they came.
CREATE FUNCTION ledger_check_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM ledger_posting WHERE entry_id = NEW.id) < 2 THEN
        RAISE EXCEPTION 'ledger_unbalanced: entry % has fewer than two legs', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_entry_balanced AFTER INSERT ON ledger_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_entry();

-- History: nobody changes it, the owner of the tables included.
CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger_immutable: % on % is refused; post a reversal instead', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ledger_account_immutable BEFORE UPDATE OR DELETE ON ledger_ledgeraccount
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_entry_immutable BEFORE UPDATE OR DELETE ON ledger_entry
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_posting_immutable BEFORE UPDATE OR DELETE ON ledger_posting
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_balance_kept BEFORE DELETE ON ledger_balance
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
-- Balances move only inside the trigger on postings: a hand-written UPDATE has trigger depth 0.
CREATE TRIGGER ledger_balance_follows_postings BEFORE INSERT OR UPDATE ON ledger_balance
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_account_no_truncate BEFORE TRUNCATE ON ledger_ledgeraccount
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_entry_no_truncate BEFORE TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_posting_no_truncate BEFORE TRUNCATE ON ledger_posting
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_balance_no_truncate BEFORE TRUNCATE ON ledger_balance
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
"""

BACKWARD = """
DROP FUNCTION ledger_post(jsonb);
DROP FUNCTION ledger_open_balance() CASCADE;
DROP FUNCTION ledger_keep_balances() CASCADE;
DROP FUNCTION ledger_take_checkpoints();
DROP FUNCTION ledger_check_entry() CASCADE;
DROP FUNCTION ledger_refuse_change() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
