"""A refund can be asked for only where it is offered, and the web process cannot make the offer itself."""

from django.db import migrations

FORWARD = r"""
-- What is asked for is judged when it is written down, by what the workers wrote about the order: a payment that waits, or
-- a credited one that was offered back (orders.actions.refund_offered says the same to people). An address that the order
-- has already is where it goes; a person's command can send it elsewhere.
CREATE FUNCTION orders_check_choice() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE o orders_order; d wallets_deposit;
BEGIN
    SELECT * INTO o FROM orders_order WHERE id = NEW.order_id;
    SELECT * INTO d FROM wallets_deposit WHERE id = NEW.deposit_id;
    IF d.owner_ref IS DISTINCT FROM o.reference THEN
        RAISE EXCEPTION 'choice_of_another: deposit % is not of order %', NEW.deposit_id, o.reference
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF d.disposition <> 'WAITING' AND NOT (
        d.disposition = 'CREDIT' AND o.next_actor = 'customer'
        AND (o.state = 'PAYING' OR o.state = 'EXCHANGING' AND o.hold_reason = 'LIQUIDITY'))
    THEN
        RAISE EXCEPTION 'choice_not_offered: deposit % of order % is not offered back', NEW.deposit_id, o.reference
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF o.refund_address <> '' AND NEW.address <> o.refund_address THEN
        RAISE EXCEPTION 'choice_address_fixed: order % has a refund address', o.reference
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER orders_check_choice BEFORE INSERT ON orders_choice
    FOR EACH ROW EXECUTE FUNCTION orders_check_choice();

-- The page lifts the hold that an address ends, and hands the turn to the machine; it holds no order and offers nothing.
CREATE FUNCTION orders_keep_turn() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE owner name;
BEGIN
    SELECT pg_get_userbyid(relowner) INTO owner FROM pg_class WHERE oid = TG_RELID;
    IF current_user = owner || '_web' AND (
        NEW.hold_reason <> OLD.hold_reason AND (OLD.hold_reason <> 'ADDRESS' OR NEW.hold_reason <> '')
        OR NEW.next_actor <> OLD.next_actor AND NEW.next_actor <> 'machine')
    THEN
        RAISE EXCEPTION 'order_turn_kept: who is to act on order % is not for % to say', OLD.reference, current_user
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER orders_keep_turn BEFORE UPDATE OF hold_reason, next_actor ON orders_order
    FOR EACH ROW EXECUTE FUNCTION orders_keep_turn();
"""

BACKWARD = """
DROP FUNCTION orders_keep_turn() CASCADE;
DROP FUNCTION orders_check_choice() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0007_choices")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
