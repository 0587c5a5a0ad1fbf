"""Functions look for tables in our schema first: a temporary table of the same name would switch the guards off."""

from django.db import migrations

FUNCTIONS = ("orders_keep_promise()", "orders_refuse_change()", "orders_refuse_removal()")
# Without pg_temp at its end PostgreSQL puts the session's temporary schema in front of any path.
FORWARD = [f"ALTER FUNCTION {name} SET search_path = pg_catalog, public, pg_temp" for name in FUNCTIONS]
BACKWARD = [f"ALTER FUNCTION {name} RESET search_path" for name in FUNCTIONS]


class Migration(migrations.Migration):
    dependencies = [("orders", "0003_held_without_address")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
