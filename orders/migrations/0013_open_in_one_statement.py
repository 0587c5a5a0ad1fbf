"""An order is opened in one statement: the locks, a look at what is promised meanwhile, and all its rows."""

from django.db import migrations, models
from django.db.models import Q

FORWARD = r"""
-- Concurrent openings of one client, and of one asset, wait for each other until the end of the transaction. Whatever is
-- read afterwards must be a statement of its own, or it misses what the one before has just committed.
CREATE FUNCTION orders_lock_promises(client text, code text) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('promises-of:' || client, 0));
    PERFORM pg_advisory_xact_lock(hashtextextended('promise:' || code, 0));
END $$;

-- What the books call spendable of an asset, the open promises of it, and what one client holds of them; minor units.
CREATE FUNCTION orders_promised(code text, client text)
RETURNS TABLE (coins numeric, promised numeric, unfunded numeric, client_minor numeric, client_count bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    SELECT COALESCE(sum(f.minor), 0) INTO coins FROM ledger_free_coins() f WHERE f.asset = code;
    SELECT COALESCE(sum(p.amount_minor), 0), COALESCE(sum(p.amount_minor) FILTER (WHERE NOT p.funded), 0)
    INTO promised, unfunded FROM orders_promise p WHERE p.asset_id = code AND p.closed_at IS NULL;
    client_minor := 0;
    client_count := 0;
    IF client <> '' THEN
        SELECT COALESCE(sum(p.amount_minor) FILTER (WHERE p.asset_id = code), 0), count(*)
        INTO client_minor, client_count FROM orders_promise p WHERE p.client_ref = client AND p.closed_at IS NULL;
    END IF;
    RETURN NEXT;
END $$;

-- Writes an order with all that belongs to it, or says why not; orders/open.py decides, and lists what is asked for.
--   in_progress   another transaction holds the idempotency key
--   known         the key has an order already
--   ours          an address is in our own table: whether the row is to be believed is asked elsewhere
--   moved         more is promised, or less is there, than `bounds` allow for: to be judged again
CREATE FUNCTION orders_open(asked jsonb, OUT outcome text, OUT opened bigint) LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    o orders_order := jsonb_populate_record(NULL::orders_order, asked->'order');
    a wallets_address := jsonb_populate_record(NULL::wallets_address, asked->'address');
    p orders_promise := jsonb_populate_record(NULL::orders_promise, asked->'promise');
    k orders_idempotencykey := jsonb_populate_record(NULL::orders_idempotencykey, asked->'key');
    u accounts_user := jsonb_populate_record(NULL::accounts_user, asked->'user');
    t accounts_accesstoken := jsonb_populate_record(NULL::accounts_accesstoken, asked->'token');
    bounds jsonb := asked->'bounds';
    there record;
BEGIN
    IF k.key IS NOT NULL THEN
        IF NOT pg_try_advisory_xact_lock((asked->>'key_lock')::bigint) THEN
            outcome := 'in_progress';
            RETURN;
        END IF;
        IF EXISTS (SELECT FROM orders_idempotencykey r WHERE r.scope = k.scope AND r.key = k.key) THEN
            outcome := 'known';
            RETURN;
        END IF;
    END IF;
    IF (asked->>'look_for_ours')::boolean AND EXISTS (
        SELECT FROM wallets_address r WHERE r.address IN (NULLIF(o.payout_address, ''), NULLIF(o.refund_address, '')))
    THEN
        outcome := 'ours';
        RETURN;
    END IF;

    PERFORM orders_lock_promises(asked->>'client', p.asset_id);
    IF bounds IS NOT NULL THEN
        SELECT * INTO there FROM orders_promised(p.asset_id, p.client_ref);
        IF there.coins - there.promised < (bounds->>'free')::numeric
           OR there.coins - there.promised + there.unfunded < (bounds->>'whole')::numeric
           OR there.promised > (bounds->>'promised')::numeric
           OR there.unfunded > (bounds->>'unfunded')::numeric
           OR there.client_minor > (bounds->>'client_minor')::numeric
           OR there.client_count > (bounds->>'client_count')::bigint
        THEN
            outcome := 'moved';
            RETURN;
        END IF;
    END IF;

    IF u.id IS NOT NULL THEN
        INSERT INTO accounts_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
                                   date_joined, phone, is_anonymous_owner)
        VALUES (u.id, u.password, false, u.username, '', '', '', false, true, u.date_joined, '', true);
        INSERT INTO accounts_accesstoken (user_id, token_hash, nonce, created_at)
        VALUES (u.id, t.token_hash, t.nonce, t.created_at);
    END IF;
    INSERT INTO wallets_address (chain, address, account, branch, index, owner_ref, created_at)
    VALUES (a.chain, a.address, a.account, a.branch, a.index, a.owner_ref, a.created_at);
    INSERT INTO orders_order (reference, user_id, pair, send_asset_id, get_asset_id, quote_id, side, send_minor, get_minor, rate,
                              fee_minor, network_fee_minor, fee_cap_minor, state, exception, hold_reason, next_actor,
                              deadline, transition_count, created_at, payment_deadline, deposit_address,
                              payout_address, refund_address, owner_token_hash, nonce)
    VALUES (o.reference, o.user_id, o.pair, o.send_asset_id, o.get_asset_id, o.quote_id, o.side, o.send_minor, o.get_minor, o.rate,
            o.fee_minor, o.network_fee_minor, o.fee_cap_minor, o.state, o.exception, o.hold_reason, o.next_actor,
            o.deadline, 1, o.created_at, o.payment_deadline, o.deposit_address,
            o.payout_address, o.refund_address, o.owner_token_hash, o.nonce)
    RETURNING id INTO opened;
    INSERT INTO orders_promise (order_id, asset_id, amount_minor, client_ref, funded, lapses_at)
    VALUES (opened, p.asset_id, p.amount_minor, p.client_ref, false, p.lapses_at);
    INSERT INTO orders_transition (order_id, seq, from_state, to_state, exception, hold_reason, actor, reason, at)
    VALUES (opened, 1, '', o.state, o.exception, o.hold_reason, 'customer', asked->>'reason', o.created_at);
    IF k.key IS NOT NULL THEN
        INSERT INTO orders_idempotencykey (scope, key, body_hash, order_id) VALUES (k.scope, k.key, k.body_hash, opened);
    END IF;
    outcome := 'opened';
END $$;
"""

BACKWARD = """
DROP FUNCTION orders_open(jsonb);
DROP FUNCTION orders_promised(text, text);
DROP FUNCTION orders_lock_promises(text, text);
"""


class Migration(migrations.Migration):
    dependencies = (
        ("orders", "0012_deposit_pays_once"),
        ("accounts", "0002_take_ids"),
        ("ledger", "0005_spendable"),
        ("wallets", "0017_signer_room"),
    )
    operations = (
        migrations.RemoveIndex(model_name="promise", name="promise_by_client"),
        migrations.AddIndex(
            model_name="promise",
            index=models.Index(
                fields=("client_ref",), include=("asset", "amount_minor"), condition=Q(closed_at=None), name="promise_of_client"
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    )
