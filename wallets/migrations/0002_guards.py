"""What SQL holds for wallets: a stored signature never changes, a payout's target never changes, nothing is deleted."""

from django.db import migrations

FORWARD = r"""
CREATE FUNCTION wallets_keep_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.payout_id, NEW.n, NEW.chain, NEW.txid, NEW.raw, NEW.fee_minor)
       IS DISTINCT FROM (OLD.payout_id, OLD.n, OLD.chain, OLD.txid, OLD.raw, OLD.fee_minor) THEN
        RAISE EXCEPTION 'attempt_immutable: signed bytes of attempt % cannot change', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wallets_keep_attempt BEFORE UPDATE ON wallets_attempt
    FOR EACH ROW EXECUTE FUNCTION wallets_keep_attempt();

CREATE FUNCTION wallets_keep_payout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.purpose, NEW.chain, NEW.asset_id, NEW.owner_ref, NEW.address, NEW.amount_minor, NEW.fee_cap_minor)
       IS DISTINCT FROM
       (OLD.purpose, OLD.chain, OLD.asset_id, OLD.owner_ref, OLD.address, OLD.amount_minor, OLD.fee_cap_minor) THEN
        RAISE EXCEPTION 'payout_immutable: what payout % pays cannot change', OLD.purpose
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wallets_keep_payout BEFORE UPDATE ON wallets_payout
    FOR EACH ROW EXECUTE FUNCTION wallets_keep_payout();

CREATE FUNCTION wallets_keep_deposit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.chain, NEW.txid, NEW.position, NEW.asset_id, NEW.address_id, NEW.owner_ref, NEW.amount_minor)
       IS DISTINCT FROM
       (OLD.chain, OLD.txid, OLD.position, OLD.asset_id, OLD.address_id, OLD.owner_ref, OLD.amount_minor) THEN
        RAISE EXCEPTION 'deposit_immutable: deposit % cannot change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wallets_keep_deposit BEFORE UPDATE ON wallets_deposit
    FOR EACH ROW EXECUTE FUNCTION wallets_keep_deposit();

CREATE FUNCTION wallets_refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'wallets_kept: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER attempt_kept BEFORE DELETE ON wallets_attempt
    FOR EACH ROW EXECUTE FUNCTION wallets_refuse_removal();
CREATE TRIGGER payout_kept BEFORE DELETE ON wallets_payout
    FOR EACH ROW EXECUTE FUNCTION wallets_refuse_removal();
CREATE TRIGGER deposit_kept BEFORE DELETE ON wallets_deposit
    FOR EACH ROW EXECUTE FUNCTION wallets_refuse_removal();
CREATE TRIGGER attempt_no_truncate BEFORE TRUNCATE ON wallets_attempt
    FOR EACH STATEMENT EXECUTE FUNCTION wallets_refuse_removal();
CREATE TRIGGER payout_no_truncate BEFORE TRUNCATE ON wallets_payout
    FOR EACH STATEMENT EXECUTE FUNCTION wallets_refuse_removal();
CREATE TRIGGER deposit_no_truncate BEFORE TRUNCATE ON wallets_deposit
    FOR EACH STATEMENT EXECUTE FUNCTION wallets_refuse_removal();
"""

BACKWARD = """
DROP FUNCTION wallets_keep_attempt() CASCADE;
DROP FUNCTION wallets_keep_payout() CASCADE;
DROP FUNCTION wallets_keep_deposit() CASCADE;
DROP FUNCTION wallets_refuse_removal() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("wallets", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
