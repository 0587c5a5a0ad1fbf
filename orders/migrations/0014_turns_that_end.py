"""The page may put off what is due on an order by no more than the machine's own turn: nothing waits for ever with nobody told."""

from importlib import import_module

from django.db import migrations

FORWARD = r"""
-- As before; and the deadline that comes with the machine's turn (orders.policy.MACHINE_WINDOW, an hour) with room for clocks.
CREATE OR REPLACE FUNCTION orders_keep_turn() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE owner name;
BEGIN
    SELECT pg_get_userbyid(relowner) INTO owner FROM pg_class WHERE oid = TG_RELID;
    IF current_user = owner || '_web' AND (
        NEW.hold_reason <> OLD.hold_reason AND (OLD.hold_reason <> 'ADDRESS' OR NEW.hold_reason <> '')
        OR NEW.next_actor <> OLD.next_actor AND NEW.next_actor <> 'machine'
        OR NEW.deadline IS DISTINCT FROM OLD.deadline
           AND (NEW.deadline IS NULL OR NEW.deadline > now() + interval '90 minutes'))
    THEN
        RAISE EXCEPTION 'order_turn_kept: who is to act on order % is not for % to say', OLD.reference, current_user
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER orders_keep_turn ON orders_order;
CREATE TRIGGER orders_keep_turn BEFORE UPDATE OF hold_reason, next_actor, deadline ON orders_order
    FOR EACH ROW EXECUTE FUNCTION orders_keep_turn();
"""

BACKWARD = """
DROP FUNCTION orders_keep_turn() CASCADE;
"""
_before = import_module("orders.migrations.0008_asked_within_the_offer").FORWARD
BACKWARD += _before[_before.index("-- The page lifts the hold") :]


class Migration(migrations.Migration):
    dependencies = [("orders", "0013_open_in_one_statement")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
