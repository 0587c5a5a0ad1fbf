"""What the database itself refuses, tried with raw SQL: as the application's role, and as the owner of the tables."""

from contextlib import closing

import psycopg2
import psycopg2.errors
import pytest
from django.db import connections
from psycopg2.extras import execute_values

from ledger.balances import find_imbalances
from ledger.models import Entry, Posting
from tests.ledger.books import commit, deposit, eth, fund, ltc

NEW_ENTRY = """
    INSERT INTO ledger_entry (reference, input_hash, reason, occurred_at) VALUES ('raw', 'h', 'raw', now()) RETURNING id
"""
OLD_ENTRY = "SELECT id FROM ledger_entry WHERE reference = 'f'"
REFUSED = (psycopg2.errors.RestrictViolation, psycopg2.errors.InsufficientPrivilege)


@pytest.fixture(scope="module")
def books(django_db_setup, django_db_blocker, test_database):
    """Books that hold a few entries, shared by all tests here: each ends by proving that nothing was changed."""
    with django_db_blocker.unblock():
        commit(fund("f", ltc(10)), deposit("d", ltc(5), "O1"), fund("e", eth(3)))
        yield
        connections.close_all()
    test_database.renew()


@pytest.fixture(params=["default", "owner"], ids=["as the application", "as the owner"])
def raw(request, books):
    """A raw connection of each role."""
    known = connections[request.param].settings_dict
    with closing(
        psycopg2.connect(
            host=known["HOST"], port=known["PORT"], user=known["USER"], password=known["PASSWORD"], dbname=known["NAME"]
        )
    ) as raw_connection:
        yield raw_connection
    assert Entry.objects.count() == 3
    assert Posting.objects.count() == 6
    assert find_imbalances() == []


def run(raw, statement):
    with raw.cursor() as cursor:
        cursor.execute(statement)
    raw.commit()


def write_legs(raw, *legs, under=NEW_ENTRY):
    """Insert postings (kind, asset, amount) in one statement, under a new entry or an old one, and commit."""
    with raw.cursor() as cursor:
        cursor.execute(under)
        (entry_id,) = cursor.fetchone()
        values = []
        for kind, asset, amount in legs:
            cursor.execute("SELECT id FROM ledger_ledgeraccount WHERE kind = %s AND asset_id = %s", [kind, asset])
            values.append((entry_id, cursor.fetchone()[0], amount))
        execute_values(cursor, "INSERT INTO ledger_posting (entry_id, account_id, amount_minor) VALUES %s", values)
    raw.commit()


@pytest.mark.parametrize("amounts", [(5, -4), (5, 5), (-1, 2)])
def test_legs_that_do_not_sum_to_zero_are_refused(raw, amounts):
    with pytest.raises(psycopg2.errors.CheckViolation, match="does not sum to zero in LTC"):
        write_legs(raw, ("chain:spendable", "LTC", amounts[0]), ("capital", "LTC", amounts[1]))


def test_legs_that_balance_only_across_assets_are_refused(raw):
    with pytest.raises(psycopg2.errors.CheckViolation, match="does not sum to zero"):
        write_legs(raw, ("chain:spendable", "LTC", 5), ("capital", "ETH", -5))


def test_a_single_leg_is_refused(raw):
    with pytest.raises(psycopg2.errors.CheckViolation, match="does not sum to zero"):
        write_legs(raw, ("capital", "LTC", 1))


def test_an_entry_without_legs_is_refused_at_commit(raw):
    with pytest.raises(psycopg2.errors.CheckViolation, match="fewer than two legs"):
        run(raw, NEW_ENTRY)


def test_legs_of_nothing_are_refused(raw):
    with pytest.raises(psycopg2.errors.CheckViolation, match="posting_amount_not_zero"):
        write_legs(raw, ("chain:spendable", "LTC", 0), ("capital", "LTC", 0))


@pytest.mark.parametrize(
    ("entry_id", "account_id"),
    [("-1", "id"), ("(SELECT id FROM ledger_entry LIMIT 1)", "-id")],
    ids=["no such entry", "no such account"],
)
def test_a_posting_cannot_name_what_is_not_there(raw, entry_id, account_id):
    """Amounts that would balance, so that nothing but the missing row is wrong."""
    account = "(SELECT min(id) AS id FROM ledger_ledgeraccount) a"
    legs = f"SELECT {entry_id}, {account_id}, v FROM {account}, (VALUES (1), (-1)) l(v)"
    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="names what is not there"):
        run(raw, f"INSERT INTO ledger_posting (entry_id, account_id, amount_minor) {legs}")


def test_nothing_is_added_to_an_old_entry_not_even_a_balanced_pair(raw):
    with pytest.raises(psycopg2.errors.RestrictViolation, match="nothing may be added"):
        write_legs(raw, ("chain:spendable", "LTC", 5), ("capital", "LTC", -5), under=OLD_ENTRY)


def test_floors_hold_for_raw_postings_too(raw):
    with pytest.raises(psycopg2.errors.CheckViolation, match="balance_within_floor"):
        write_legs(raw, ("chain:spendable", "LTC", -16), ("capital", "LTC", 16))


@pytest.mark.parametrize("table", ["ledger_ledgeraccount", "ledger_entry", "ledger_posting"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_history_is_not_changed(raw, table, statement):
    with pytest.raises(REFUSED):
        run(raw, statement.format(table))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_balance SET amount_minor = amount_minor * 2",
        "DELETE FROM ledger_balance",
        "TRUNCATE ledger_balance",
        "INSERT INTO ledger_balance (account_id, floor, amount_minor) SELECT id, 0, 0 FROM ledger_ledgeraccount LIMIT 1",
    ],
)
def test_balances_are_not_written_by_hand(raw, statement):
    with pytest.raises(REFUSED):
        run(raw, statement)


@pytest.mark.parametrize(
    ("kind", "owner", "floor"),
    [("customer", "O9", 0), ("customer", "", -1), ("chain:spendable", "", 0), ("position", "O1", 0), ("slush", "", 0)],
)
def test_accounts_outside_the_chart_are_refused(raw, kind, owner, floor):
    with raw.cursor() as cursor, pytest.raises(psycopg2.errors.CheckViolation, match="ledger_account_in_chart"):
        cursor.execute(
            "INSERT INTO ledger_ledgeraccount (kind, asset_id, owner_ref, floor) VALUES (%s, 'BTC', %s, %s)",
            [kind, owner, floor],
        )
