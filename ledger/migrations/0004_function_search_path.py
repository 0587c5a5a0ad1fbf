"""Functions look for tables in our schema first: a temporary table of the same name would switch the guards off."""

from django.db import migrations

FUNCTIONS = (
    "ledger_post(jsonb)",
    "ledger_open_balance()",
    "ledger_keep_balances()",
    "ledger_take_checkpoints()",
    "ledger_check_entry()",
    "ledger_refuse_change()",
)
# Without pg_temp at its end PostgreSQL puts the session's temporary schema in front of any path.
FORWARD = [f"ALTER FUNCTION {name} SET search_path = pg_catalog, public, pg_temp" for name in FUNCTIONS]
BACKWARD = [f"ALTER FUNCTION {name} RESET search_path" for name in FUNCTIONS]


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_posting_references")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
