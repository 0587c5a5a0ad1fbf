from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "ledger"
    default_auto_field = "django.db.models.BigAutoField"
    # What `release` grants the application's role: history can be added to and read; balances only a trigger writes.
    append_only_tables = ("ledger_ledgeraccount", "ledger_entry", "ledger_posting")
    read_only_tables = ("ledger_balance", "ledger_checkpoint")
