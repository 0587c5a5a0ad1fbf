"""A payout must have its facts at commit whoever wrote it: the role of all kinds together is excused only where it may sign in.

On a server no release makes that role, and one that an earlier release made may not sign in any more.
"""

from django.db import migrations

FUNCTION = """
CREATE OR REPLACE FUNCTION orders_check_payout() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE fault text; owner name;
BEGIN
    SELECT pg_get_userbyid(relowner) INTO owner FROM pg_class WHERE oid = TG_RELID;
    -- At commit: one that was refused meanwhile pays nobody.%s
       OR EXISTS (SELECT FROM wallets_payout p WHERE p.id = NEW.id AND p.state IN ('REJECTED', 'REVERTED')) THEN
        RETURN NULL;
    END IF;
    fault := orders_payout_fault(NEW.id);
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'payout_without_facts: payout %% (%%): %%', NEW.id, NEW.purpose, fault
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
"""
FORWARD = FUNCTION % """ Tests and a developer's shell make payouts up.
    IF (current_user = owner || '_app' AND EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND rolcanlogin))"""
BACKWARD = FUNCTION % """
    IF current_user = owner || '_app'"""


class Migration(migrations.Migration):
    dependencies = [("orders", "0010_house_payouts")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
