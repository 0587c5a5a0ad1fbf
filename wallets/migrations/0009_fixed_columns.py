"""What SQL holds for wallets, further: addresses, coins, holds and freezes keep what they say, SIGNED needs signed bytes."""

from django.db import migrations

FORWARD = r"""
CREATE FUNCTION wallets_keep_address() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'address_immutable: address % belongs to %', OLD.address, OLD.owner_ref
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER wallets_keep_address BEFORE UPDATE ON wallets_address
    FOR EACH ROW EXECUTE FUNCTION wallets_keep_address();

CREATE FUNCTION wallets_keep_coin() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.chain, NEW.txid, NEW.vout, NEW.address_id, NEW.amount_minor)
       IS DISTINCT FROM (OLD.chain, OLD.txid, OLD.vout, OLD.address_id, OLD.amount_minor) THEN
        RAISE EXCEPTION 'coin_immutable: what coin % is cannot change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wallets_keep_coin BEFORE UPDATE ON wallets_coin FOR EACH ROW EXECUTE FUNCTION wallets_keep_coin();

CREATE FUNCTION wallets_keep_coinhold() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.chain, NEW.txid, NEW.vout, NEW.payout_id)
       IS DISTINCT FROM (OLD.chain, OLD.txid, OLD.vout, OLD.payout_id) THEN
        RAISE EXCEPTION 'hold_immutable: coin hold % cannot change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wallets_keep_coinhold BEFORE UPDATE ON wallets_coinhold
    FOR EACH ROW EXECUTE FUNCTION wallets_keep_coinhold();

CREATE FUNCTION wallets_keep_noncehold() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.chain, NEW.sender, NEW.nonce, NEW.payout_id)
       IS DISTINCT FROM (OLD.chain, OLD.sender, OLD.nonce, OLD.payout_id) THEN
        RAISE EXCEPTION 'hold_immutable: nonce hold % cannot change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wallets_keep_noncehold BEFORE UPDATE ON wallets_noncehold
    FOR EACH ROW EXECUTE FUNCTION wallets_keep_noncehold();

CREATE FUNCTION wallets_keep_freeze() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.scope, NEW.reason, NEW.frozen_at, NEW.frozen_by)
       IS DISTINCT FROM (OLD.scope, OLD.reason, OLD.frozen_at, OLD.frozen_by) THEN
        RAISE EXCEPTION 'freeze_immutable: freeze % can only be lifted', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wallets_keep_freeze BEFORE UPDATE ON wallets_freeze
    FOR EACH ROW EXECUTE FUNCTION wallets_keep_freeze();

-- What a payout pays with and when it was asked for; and that nobody calls it signed without signed bytes.
CREATE FUNCTION wallets_keep_intent() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.funded_by, NEW.reserved_minor, NEW.requested_at)
       IS DISTINCT FROM (OLD.funded_by, OLD.reserved_minor, OLD.requested_at) THEN
        RAISE EXCEPTION 'payout_immutable: what funds payout % cannot change', OLD.purpose
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'REQUESTED' AND NEW.state NOT IN ('REQUESTED', 'REJECTED')
       AND NOT EXISTS (SELECT FROM wallets_attempt a WHERE a.payout_id = NEW.id) THEN
        RAISE EXCEPTION 'payout_unsigned: payout % has no signed bytes', OLD.purpose
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wallets_keep_intent BEFORE UPDATE ON wallets_payout
    FOR EACH ROW EXECUTE FUNCTION wallets_keep_intent();
"""

NAMES = ("address", "coin", "coinhold", "noncehold", "freeze", "intent")
BACKWARD = [f"DROP FUNCTION wallets_keep_{name}() CASCADE" for name in NAMES]


class Migration(migrations.Migration):
    dependencies = [("wallets", "0008_standing")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
