"""A payout exists only against what is stored about its debt: the order or deposits, the address, the amount, the coins set aside."""

from django.db import migrations

FORWARD = r"""
-- Says what is wrong with a payout, or nothing. Asked when one is committed, and by the signer before it signs.
CREATE FUNCTION orders_payout_fault(payout bigint) RETURNS text LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE p wallets_payout; o orders_order; debt text; found bigint; total numeric; alike bigint; fee numeric;
BEGIN
    SELECT * INTO p FROM wallets_payout WHERE id = payout;
    SELECT * INTO o FROM orders_order WHERE reference = p.owner_ref;
    IF o.id IS NULL THEN RETURN 'no_order'; END IF;
    debt := split_part(p.purpose, '/', 1);
    IF EXISTS (SELECT FROM wallets_payout q WHERE q.owner_ref = p.owner_ref AND q.id <> p.id
               AND split_part(q.purpose, '/', 1) = debt AND q.state NOT IN ('REJECTED', 'REVERTED')) THEN
        RETURN 'debt_paid_by_another';
    END IF;
    IF NOT EXISTS (SELECT FROM core_asset a WHERE a.code = p.asset_id AND a.network = p.chain) THEN
        RETURN 'asset_of_another_network';
    END IF;

    SELECT count(*), sum(d.amount_minor) INTO found, total FROM wallets_deposit d
    WHERE d.id = ANY (p.funded_by) AND d.owner_ref = o.reference AND d.asset_id = o.send_asset_id;
    IF found = 0 OR found <> cardinality(p.funded_by) THEN RETURN 'funding_not_of_this_order'; END IF;

    IF debt = 'order:' || o.reference || ':settle' THEN
        SELECT count(*) INTO alike FROM wallets_deposit d WHERE d.id = ANY (p.funded_by) AND d.disposition = 'CREDIT';
        IF alike <> found THEN RETURN 'funding_not_credited'; END IF;
        IF o.priced_at IS NULL OR o.credited_get_minor IS NULL THEN RETURN 'order_not_exchanged'; END IF;
        IF total < o.credited_send_minor THEN RETURN 'funding_too_little'; END IF;
        IF p.asset_id <> o.get_asset_id THEN RETURN 'asset'; END IF;
        IF p.address <> o.payout_address THEN RETURN 'address'; END IF;
        IF p.amount_minor <> o.credited_get_minor THEN RETURN 'amount'; END IF;
        IF p.fee_cap_minor > o.fee_cap_minor THEN RETURN 'fee_cap'; END IF;
    ELSIF debt ~ '^deposit:\d+:refund$' AND split_part(debt, ':', 2)::bigint = ANY (p.funded_by) THEN
        SELECT count(*) INTO alike FROM wallets_deposit d WHERE d.id = ANY (p.funded_by) AND d.disposition = 'REFUND';
        IF alike <> found THEN RETURN 'funding_not_to_refund'; END IF;
        IF EXISTS (SELECT FROM wallets_payout q WHERE q.owner_ref = p.owner_ref AND q.id <> p.id
                   AND split_part(q.purpose, '/', 1) <> debt AND q.funded_by && p.funded_by
                   AND q.state NOT IN ('REJECTED', 'REVERTED')) THEN
            RETURN 'funding_paid_by_another';
        END IF;
        SELECT COALESCE(sum(g.amount_minor), 0) INTO fee FROM ledger_entry e
        JOIN ledger_posting g ON g.entry_id = e.id JOIN ledger_ledgeraccount a ON a.id = g.account_id
        WHERE e.reference = 'refund-fee:' || split_part(debt, ':', 2) AND a.kind = 'customer'
          AND a.owner_ref = o.reference AND a.asset_id = o.send_asset_id;
        IF p.asset_id <> o.send_asset_id THEN RETURN 'asset'; END IF;
        IF o.refund_address = '' THEN RETURN 'address'; END IF;
        IF p.amount_minor <> total - fee THEN RETURN 'amount'; END IF;
    ELSE
        RETURN 'purpose_unknown';
    END IF;

    IF NOT EXISTS (SELECT FROM ledger_entry e JOIN ledger_posting g ON g.entry_id = e.id
                   JOIN ledger_ledgeraccount a ON a.id = g.account_id
                   WHERE e.reference = 'reserve:' || p.purpose AND a.kind = 'chain:reserved'
                     AND a.asset_id = p.asset_id AND g.amount_minor = p.reserved_minor) THEN
        RETURN 'nothing_reserved';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION orders_check_payout() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE fault text; owner name;
BEGIN
    SELECT pg_get_userbyid(relowner) INTO owner FROM pg_class WHERE oid = TG_RELID;
    -- At commit: one that was refused meanwhile pays nobody. The union of all roles is for tests and a developer's shell,
    -- who make payouts up; no process of a served site connects as it.
    IF current_user = owner || '_app'
       OR EXISTS (SELECT FROM wallets_payout p WHERE p.id = NEW.id AND p.state IN ('REJECTED', 'REVERTED')) THEN
        RETURN NULL;
    END IF;
    fault := orders_payout_fault(NEW.id);
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'payout_without_facts: payout % (%): %', NEW.id, NEW.purpose, fault
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
-- At the end of the transaction, when the order has moved and the coins are reserved.
CREATE CONSTRAINT TRIGGER payout_has_facts AFTER INSERT ON wallets_payout
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION orders_check_payout();

-- Where coins go is fixed once a payment was seen: the page may fill in what is missing, the operator alone may change it.
CREATE FUNCTION orders_keep_address() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE owner name;
BEGIN
    SELECT pg_get_userbyid(relowner) INTO owner FROM pg_class WHERE oid = TG_RELID;
    IF current_user = owner OR (EXISTS (SELECT FROM pg_roles WHERE rolname = owner || '_operator')
       AND pg_has_role(current_user, owner || '_operator', 'MEMBER')) THEN
        RETURN NEW;
    END IF;
    IF (OLD.refund_address <> '' AND NEW.refund_address <> OLD.refund_address)
       OR (OLD.payout_address <> '' AND NEW.payout_address <> OLD.payout_address
           AND (OLD.state NOT IN ('AWAITING_DEPOSIT', 'EXPIRED')
                OR EXISTS (SELECT FROM wallets_deposit d WHERE d.owner_ref = OLD.reference AND d.state <> 'REMOVED')))
    THEN
        RAISE EXCEPTION 'order_address_fixed: where order % pays cannot be changed by %', OLD.reference, current_user
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER orders_keep_address BEFORE UPDATE OF payout_address, refund_address ON orders_order
    FOR EACH ROW EXECUTE FUNCTION orders_keep_address();
"""

BACKWARD = """
DROP FUNCTION orders_keep_address() CASCADE;
DROP FUNCTION orders_check_payout() CASCADE;
DROP FUNCTION orders_payout_fault(bigint);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0005_promise_lapses"),
        ("wallets", "0007_function_search_path"),
        ("ledger", "0004_function_search_path"),
    ]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
