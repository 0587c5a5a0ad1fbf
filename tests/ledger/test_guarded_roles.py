"""Which role may do what to the guards, and what the trial balance sees when somebody mightier got past them."""

import psycopg2.errors
import pytest
from django.db import connection, connections

from ledger.balances import find_imbalances, take_checkpoints
from tests.ledger.books import commit, deposit, fund, ltc


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE ledger_posting DISABLE TRIGGER ALL",
        "DROP TRIGGER ledger_keep_balances ON ledger_posting",
        "CREATE OR REPLACE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "SET session_replication_role = replica",
        "INSERT INTO ledger_checkpoint (account_id, posting_id, amount_minor) SELECT 1, 1, 1",
    ],
)
def test_the_application_cannot_take_the_guards_away(committed_db, as_app, statement):
    with as_app.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(statement)


def test_the_trial_balance_notices_what_a_superuser_bent(committed_db, as_owner):
    commit(fund("f", ltc(10)), deposit("d", ltc(5), "O1"))
    take_checkpoints()
    as_owner.execute("SET session_replication_role = replica")
    as_owner.execute("UPDATE ledger_balance SET amount_minor = amount_minor + 1 WHERE floor = 1")
    as_owner.execute("UPDATE ledger_checkpoint SET amount_minor = amount_minor - 1")
    as_owner.execute(
        "UPDATE ledger_posting SET amount_minor = amount_minor - 2 WHERE id = (SELECT max(id) FROM ledger_posting)"
    )
    as_owner.execute("DELETE FROM ledger_balance WHERE floor = -1")
    problems = "\n".join(find_imbalances())
    for sentence in ("asset LTC sums to -2", "sums to -2 LTC", "keeps 16", "keeps None", "checkpoint of account"):
        assert sentence in problems


def test_django_itself_connects_as_the_application(committed_db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (connections["default"].settings_dict["USER"], False)
