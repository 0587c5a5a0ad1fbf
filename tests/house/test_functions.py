"""SQL functions of ours: a session's temporary tables cannot stand in for the tables that they look at."""

import psycopg2.errors
import pytest
from psycopg2 import sql

OURS = """
    SELECT p.oid::regprocedure::text, p.proconfig FROM pg_proc p
    WHERE pg_get_userbyid(p.proowner) = current_user AND p.pronamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    ORDER BY 1
"""
# The attack of November 2026: the trigger counted the legs of an entry in this table instead of the books' own.
ONE_LEGGED = """
    CREATE TEMPORARY TABLE ledger_posting (entry_id bigint, account_id bigint, amount_minor numeric);
    CREATE TEMPORARY TABLE ledger_ledgeraccount (id bigint, asset_id text);
    INSERT INTO public.ledger_ledgeraccount (kind, asset_id, owner_ref, floor) VALUES ('capital', 'LTC', '', 0)
        ON CONFLICT DO NOTHING;
    INSERT INTO public.ledger_entry (reference, input_hash, reason, occurred_at) VALUES ('forged', '', 'forged', now());
    INSERT INTO ledger_posting SELECT e.id, 1, 1 FROM public.ledger_entry e WHERE e.reference = 'forged';
    INSERT INTO public.ledger_posting (entry_id, account_id, amount_minor)
        SELECT e.id, a.id, 100 FROM public.ledger_entry e, public.ledger_ledgeraccount a
        WHERE e.reference = 'forged' AND a.kind = 'capital' AND a.asset_id = 'LTC';
    INSERT INTO ledger_posting SELECT * FROM ledger_posting;
    SET CONSTRAINTS ALL IMMEDIATE;
"""


def test_each_function_looks_for_temporary_tables_last(as_owner):
    as_owner.execute(OURS)
    found = as_owner.fetchall()

    assert len(found) >= 13
    assert [
        name
        for name, config in found
        if not any(line.startswith("search_path=") and line.endswith(", pg_temp") for line in config or ())
    ] == []


def test_the_application_can_make_no_temporary_table(committed_db, as_app):
    with as_app.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(ONE_LEGGED)


def test_temporary_tables_do_not_hide_the_books_from_their_guards(committed_db, as_owner, as_app):
    """Also where some operator has granted the right again."""
    as_owner.execute(
        sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(
            sql.Identifier(as_app.info.dbname), sql.Identifier(as_app.info.user)
        )
    )

    with as_app.cursor() as cursor, pytest.raises(psycopg2.errors.CheckViolation, match="ledger_unbalanced"):
        cursor.execute(ONE_LEGGED)
