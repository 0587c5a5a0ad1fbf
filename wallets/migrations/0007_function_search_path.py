"""Functions look for tables in our schema first: a temporary table of the same name would switch the guards off."""

from django.db import migrations

FUNCTIONS = (
    "wallets_keep_attempt()",
    "wallets_keep_payout()",
    "wallets_keep_deposit()",
    "wallets_refuse_removal()",
)
# Without pg_temp at its end PostgreSQL puts the session's temporary schema in front of any path.
FORWARD = [f"ALTER FUNCTION {name} SET search_path = pg_catalog, public, pg_temp" for name in FUNCTIONS]
BACKWARD = [f"ALTER FUNCTION {name} RESET search_path" for name in FUNCTIONS]


class Migration(migrations.Migration):
    dependencies = [("wallets", "0006_reading_gaps_and_sights")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
