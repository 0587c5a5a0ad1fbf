"""What SQL holds for orders: promises never change, pricing happens once, the event log is only added to."""

from django.db import migrations

FORWARD = r"""
CREATE FUNCTION orders_keep_promise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.reference, NEW.quote_id, NEW.pair, NEW.send_asset_id, NEW.get_asset_id, NEW.send_minor, NEW.get_minor,
        NEW.rate, NEW.fee_minor, NEW.network_fee_minor, NEW.fee_cap_minor, NEW.deposit_address, NEW.payment_deadline)
       IS DISTINCT FROM
       (OLD.reference, OLD.quote_id, OLD.pair, OLD.send_asset_id, OLD.get_asset_id, OLD.send_minor, OLD.get_minor,
        OLD.rate, OLD.fee_minor, OLD.network_fee_minor, OLD.fee_cap_minor, OLD.deposit_address, OLD.payment_deadline)
    THEN
        RAISE EXCEPTION 'order_promise_immutable: what order % promised cannot change', OLD.reference
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.priced_at IS NOT NULL AND (NEW.priced_at, NEW.credited_send_minor, NEW.credited_get_minor)
       IS DISTINCT FROM (OLD.priced_at, OLD.credited_send_minor, OLD.credited_get_minor)
    THEN
        RAISE EXCEPTION 'order_priced_once: order % was priced at %', OLD.reference, OLD.priced_at
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER orders_keep_promise BEFORE UPDATE ON orders_order
    FOR EACH ROW EXECUTE FUNCTION orders_keep_promise();

CREATE FUNCTION orders_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.published_seq IS NULL
       AND to_jsonb(NEW) - 'published_seq' = to_jsonb(OLD) - 'published_seq' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'transition_immutable: % on the event log is refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER transition_immutable BEFORE UPDATE OR DELETE ON orders_transition
    FOR EACH ROW EXECUTE FUNCTION orders_refuse_change();

CREATE FUNCTION orders_refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'order_immutable: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER order_kept BEFORE DELETE ON orders_order
    FOR EACH ROW EXECUTE FUNCTION orders_refuse_removal();
CREATE TRIGGER order_no_truncate BEFORE TRUNCATE ON orders_order
    FOR EACH STATEMENT EXECUTE FUNCTION orders_refuse_removal();
CREATE TRIGGER transition_no_truncate BEFORE TRUNCATE ON orders_transition
    FOR EACH STATEMENT EXECUTE FUNCTION orders_refuse_removal();
"""

BACKWARD = """
DROP FUNCTION orders_keep_promise() CASCADE;
DROP FUNCTION orders_refuse_change() CASCADE;
DROP FUNCTION orders_refuse_removal() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
