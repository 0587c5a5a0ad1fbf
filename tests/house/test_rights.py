"""The table of rights: complete, and what it does not allow is refused to each role, verb by verb and column by column."""

import re

import psycopg2
import psycopg2.errors
import pytest
from django.conf import settings
from django.core.management import call_command
from psycopg2 import sql

from core.database_roles import (
    RightsError,
    column_of,
    derive_password,
    list_kinds,
    read_rights,
    role_name,
)
from core.release import list_rights
from nexchange.rights import COLUMNS, FUNCTIONS, RIGHTS
from tests.sources import ROOT

OWNER = settings.DATABASES["owner"]
KINDS = list_kinds(settings.CHAINS)
MONEY = [  # what a stolen web host must not write
    "wallets_payout",
    "wallets_attempt",
    "wallets_coin",
    "wallets_coinhold",
    "wallets_noncehold",
    "wallets_deposit",
    "wallets_freeze",
    "ledger_balance",
    "ledger_entry",
    "ledger_posting",
]


@pytest.fixture
def connect(django_db_setup):
    """Return what opens a connection as the role of a kind of process."""
    opened = []

    def as_kind(kind):
        role = role_name(OWNER["USER"], kind)
        known = settings.DATABASES["default"]
        raw = psycopg2.connect(
            host=known["HOST"],
            port=known["PORT"],
            dbname=known["NAME"],
            user=role,
            password=derive_password(settings.APP_DB_PASSWORD, role),
        )
        opened.append(raw)
        return raw

    yield as_kind
    for raw in opened:
        raw.close()


def columns_of(cursor):
    cursor.execute(
        """SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) FROM information_schema.columns
           WHERE table_schema = 'public' GROUP BY 1"""
    )
    return dict(cursor.fetchall())


def tries(table, columns):
    """Statements that need one right each and touch no row."""
    name = sql.Identifier(table)
    some = sql.Identifier(columns[0])
    yield "SELECT", "", sql.SQL("SELECT {} FROM {} WHERE false").format(some, name)
    yield (
        "INSERT",
        "",
        sql.SQL("INSERT INTO {} ({}) SELECT {} WHERE false").format(
            name,
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(sql.SQL("NULL") for _ in columns),
        ),
    )
    yield "DELETE", "", sql.SQL("DELETE FROM {}").format(name)
    for column in columns:
        yield "UPDATE", column, sql.SQL("UPDATE {} SET {} = NULL").format(name, sql.Identifier(column))


def is_allowed(cell, verb, column):
    rights = [right for right in read_rights(cell) if right.verb == verb]
    return any(not right.columns or column in right.columns for right in rights)


def tell_allowed(cursor, statement):
    """Say whether the role has the right: EXPLAIN asks for it as the statement itself would, and changes nothing."""
    cursor.execute("SAVEPOINT one")
    try:
        cursor.execute(sql.SQL("EXPLAIN ") + statement)
    except psycopg2.errors.InsufficientPrivilege:
        cursor.execute("ROLLBACK TO one")
        return False
    return True


def test_each_table_has_its_line(as_owner):
    unlisted = list_rights(as_owner).keys() - RIGHTS.keys()
    assert not unlisted, f"say in nexchange/rights.py who may do what with {sorted(unlisted)}"
    assert {column for cells in RIGHTS.values() for column in cells} <= set(COLUMNS)
    assert {column_of(kind) for kind in KINDS} == set(COLUMNS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_role_may_do_what_the_table_says_and_nothing_else(connect, as_owner, kind):
    wrong = []
    known, rights = columns_of(as_owner), list_rights(as_owner)
    with connect(kind).cursor() as cursor:
        below = ("web", "worker", "chain", "operator") if kind == "operator" else (column_of(kind),)
        for table, cells in rights.items():
            cell = " ".join(cells.get(column, "") for column in below)
            for verb, column, statement in tries(table, known[table]):
                if tell_allowed(cursor, statement) != is_allowed(cell, verb, column):
                    wrong.append(f"{verb} {table} {column}: the table says {cell!r}")
    assert wrong == []


@pytest.mark.parametrize("kind", ["", *KINDS])
def test_no_role_may_more_than_rows(as_owner, kind):
    role = role_name(OWNER["USER"], kind)
    as_owner.execute(
        """SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'S')
           AND (c.relowner = %(role)s::regrole OR (c.relkind = 'r' AND has_table_privilege(%(role)s, c.oid, 'TRUNCATE'))
                OR (c.relkind = 'r' AND has_table_privilege(%(role)s, c.oid, 'REFERENCES, TRIGGER'))
                OR (c.relkind = 'S' AND has_sequence_privilege(%(role)s, c.oid, 'UPDATE')))""",
        {"role": role},
    )
    assert as_owner.fetchall() == []
    as_owner.execute(
        """SELECT has_database_privilege(%(role)s, current_database(), 'TEMPORARY'),
                  has_database_privilege(%(role)s, current_database(), 'CREATE'),
                  has_schema_privilege(%(role)s, 'public', 'CREATE'),
                  r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls
           FROM pg_roles r WHERE r.rolname = %(role)s""",
        {"role": role},
    )
    assert as_owner.fetchone() == (False, False, False, False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_role_calls_the_functions_that_are_meant_for_it(as_owner, kind):
    as_owner.execute(
        """SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
           AND has_function_privilege(%s, p.oid, 'EXECUTE')""",
        [role_name(OWNER["USER"], kind)],
    )
    below = {"web", "worker", "chain"} if kind == "operator" else {column_of(kind)}
    assert {name for (name,) in as_owner.fetchall()} == {
        name for name, callers in FUNCTIONS.items() if below & {*callers}
    }


def test_a_stolen_web_host_writes_no_money_and_beat_writes_nothing():
    written = [table for table in MONEY if set(RIGHTS[table].get("web", "")) & set("IUD")]
    assert written == []
    assert [table for table, cells in RIGHTS.items() if set(cells.get("beat", "")) & set("IUD")] == []


def test_only_a_signer_writes_what_may_be_sent():
    for table in ("wallets_attempt", "wallets_coinhold", "wallets_noncehold"):
        assert [column for column, cell in RIGHTS[table].items() if "I" in cell] == ["signer"], table


def test_nobody_but_a_release_changes_assets_and_pairs_or_removes_holds_and_promises():
    for table in ("core_asset", "ticker_pair", "ticker_market", "ticker_listing"):
        assert set("".join(RIGHTS[table].values())) == {"S"}, table
    for table in ("wallets_coinhold", "wallets_noncehold", "wallets_freeze", "orders_promise", "orders_idempotencykey"):
        assert "D" not in "".join(RIGHTS[table].values()), table


@pytest.mark.parametrize("kind", KINDS)
def test_statements_of_a_role_end(connect, kind):
    with connect(kind).cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM current_setting('statement_timeout')::interval)")
        assert 0 < cursor.fetchone()[0] <= 600


def test_no_role_keeps_the_others_out_by_taking_every_connection(connect, as_owner):
    """A web host did: with all connections its own no signer signed and no worker read a chain, while it held them."""
    as_owner.execute("SELECT current_setting('max_connections')::int")
    most = as_owner.fetchone()[0] // 2
    as_owner.execute("SELECT rolname FROM pg_roles WHERE rolconnlimit = %s", [most])
    roles = {role_name(OWNER["USER"], kind) for kind in KINDS}
    assert roles <= {name for (name,) in as_owner.fetchall()}

    with pytest.raises(psycopg2.OperationalError, match="too many connections for role"):  # noqa: PT012 -- how many is the point
        for _ in range(most + 1):
            connect("beat")
    with connect("signer_litecoin").cursor() as cursor:
        cursor.execute("SELECT 1")


def test_a_role_cannot_become_another(connect):
    for other in ("", "operator", "signer_litecoin", "worker"):
        with connect("web").cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role_name(OWNER["USER"], other))))


def test_passwords_are_of_one_role_each():
    assert derive_password("master", "nexchange_web") == (
        "5cea6458d569a958df45fce20632a75568dc132625fa1060ef6802a1310ab1a1"
    )
    assert len({derive_password("master", role_name("nexchange", kind)) for kind in KINDS}) == len(KINDS)
    assert derive_password("", "nexchange_web") == ""


@pytest.mark.parametrize("text", ["X", "S(a)", "U(", "U()", "U(a", "s"])
def test_a_cell_that_cannot_be_read_is_refused(text):
    with pytest.raises(RightsError):
        read_rights(text)


def test_the_page_of_roles_is_not_stale():
    call_command("roles", "--check")


def test_a_restore_knows_every_role_that_a_backup_may_speak_of():
    script = (ROOT / "bin/lib/backup/putback.sh").read_text(encoding="utf-8")
    named = re.search(r"^ROLES='([a-z_ ]+)'$", script, re.MULTILINE)
    assert named is not None
    assert set(named[1].split()) == {"app", *KINDS}
