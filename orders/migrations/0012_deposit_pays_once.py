"""A deposit pays for one thing, its exchange or its refund, and a refund is never more than the deposits."""

from importlib import import_module

from django.db import migrations

FORWARD = r"""
-- Says what is wrong with a payout, or nothing. Asked when one is committed, and by the signer before it signs.
CREATE OR REPLACE FUNCTION orders_payout_fault(payout bigint) RETURNS text LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE p wallets_payout; o orders_order; debt text; found bigint; total numeric; alike bigint; fee numeric;
BEGIN
    SELECT * INTO p FROM wallets_payout WHERE id = payout;
    IF p.purpose ~ '^house:consolidate:\d+$' THEN
        -- Coins of the house are joined: to its own address (which the signer derives), one at a time, for a small fee.
        IF p.owner_ref <> '' OR cardinality(p.funded_by) > 0 THEN RETURN 'house_pays_no_order'; END IF;
        IF p.reserved_minor <> p.fee_cap_minor THEN RETURN 'amount'; END IF;
        IF p.fee_cap_minor * 100 > p.amount_minor THEN RETURN 'fee_cap'; END IF;
        IF NOT EXISTS (SELECT FROM core_asset a WHERE a.code = p.asset_id AND a.network = p.chain) THEN
            RETURN 'asset_of_another_network';
        END IF;
        IF NOT EXISTS (SELECT FROM wallets_address a WHERE a.chain = p.chain AND a.address = p.address
                       AND a.owner_ref = '' AND a.branch = 1) THEN
            RETURN 'address';
        END IF;
        IF EXISTS (SELECT FROM wallets_payout q WHERE q.chain = p.chain AND q.id <> p.id
                   AND q.purpose LIKE 'house:consolidate:%' AND q.state NOT IN ('CONFIRMED', 'REJECTED', 'REVERTED')) THEN
            RETURN 'another_is_open';
        END IF;
        IF NOT EXISTS (SELECT FROM ledger_entry e JOIN ledger_posting g ON g.entry_id = e.id
                       JOIN ledger_ledgeraccount a ON a.id = g.account_id
                       WHERE e.reference = 'reserve:' || p.purpose AND a.kind = 'chain:reserved'
                         AND a.asset_id = p.asset_id AND g.amount_minor = p.reserved_minor) THEN
            RETURN 'nothing_reserved';
        END IF;
        RETURN NULL;
    END IF;
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

    -- Exchanged or sent back, never both: a worker writes which of the two, and could change its mind once one is signed.
    IF EXISTS (SELECT FROM wallets_payout q WHERE q.owner_ref = p.owner_ref AND q.id <> p.id
               AND split_part(q.purpose, '/', 1) <> debt AND q.funded_by && p.funded_by
               AND q.state NOT IN ('REJECTED', 'REVERTED')) THEN
        RETURN 'funding_paid_by_another';
    END IF;
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
        SELECT COALESCE(sum(g.amount_minor), 0) INTO fee FROM ledger_entry e
        JOIN ledger_posting g ON g.entry_id = e.id JOIN ledger_ledgeraccount a ON a.id = g.account_id
        WHERE e.reference = 'refund-fee:' || split_part(debt, ':', 2) AND a.kind = 'customer'
          AND a.owner_ref = o.reference AND a.asset_id = o.send_asset_id;
        IF fee < 0 THEN RETURN 'refund_fee'; END IF;
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
"""

BACKWARD = import_module("orders.migrations.0010_house_payouts").FORWARD


class Migration(migrations.Migration):
    dependencies = [("orders", "0011_facts_on_a_server")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
