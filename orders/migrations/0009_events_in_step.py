"""The event log and its counter go up together by one: nobody takes the number of an order's next event, or publishes one."""

from django.db import migrations

FORWARD = r"""
CREATE FUNCTION orders_check_transition() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.published_seq IS NOT NULL
       OR NOT EXISTS (SELECT FROM orders_order o WHERE o.id = NEW.order_id AND o.transition_count = NEW.seq) THEN
        RAISE EXCEPTION 'transition_out_of_step: event % of order %', NEW.seq, NEW.order_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER orders_check_transition BEFORE INSERT ON orders_transition
    FOR EACH ROW EXECUTE FUNCTION orders_check_transition();

CREATE FUNCTION orders_keep_count() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'transition_out_of_step: order % is at event %', OLD.reference, OLD.transition_count
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER orders_keep_count BEFORE UPDATE OF transition_count ON orders_order
    FOR EACH ROW WHEN (NEW.transition_count NOT IN (OLD.transition_count, OLD.transition_count + 1))
    EXECUTE FUNCTION orders_keep_count();
"""

BACKWARD = """
DROP FUNCTION orders_keep_count() CASCADE;
DROP FUNCTION orders_check_transition() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0008_asked_within_the_offer")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
