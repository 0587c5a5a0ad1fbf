"""Brings the database to what the code expects: migrations, the roles of the processes and their rights, reference data.

The one place that acts as the owner of the tables. Every other process connects as a role that owns nothing.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor
from psycopg2 import sql
from psycopg2.extensions import encrypt_password

from core.database_roles import (
    CONNECTION_SHARE,
    STATEMENT_TIMEOUTS,
    UNION,
    column_of,
    derive_password,
    list_kinds,
    read_rights,
    role_name,
)

OWNER = "owner"
LOCK_KEY = 0x6E657863  # advisory lock, per database: one release at a time, and nobody starts during one
TAKEN_AWAY = {  # of a role, should it have them
    "rolsuper": "NOSUPERUSER",
    "rolcreatedb": "NOCREATEDB",
    "rolcreaterole": "NOCREATEROLE",
    "rolreplication": "NOREPLICATION",
    "rolbypassrls": "NOBYPASSRLS",
}
# Our SQL functions: in our schema, and no part of an extension.
OUR_FUNCTIONS = """
    SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""


class ReleaseError(Exception):
    """The release cannot go on, or did not come in time; the message says which of the two and why."""


def run_release(*, wait_s: int, report: Callable[[str], Any]) -> None:
    """Migrate, make the roles, grant their rights, load the fixtures; safe to repeat, and to start twice at once.

    Holds a session-level advisory lock throughout. Raises: ReleaseError when another release keeps it for `wait_s`.
    """
    with _release_lock(wait_s=wait_s):
        report("migrations")
        call_command("migrate", database=OWNER, interactive=False, verbosity=0)
        kinds = list_kinds(settings.CHAINS)
        made = (UNION, *kinds) if settings.UNION_ROLE else kinds
        report(f"roles {', '.join(made)}")
        with connections[OWNER].cursor() as cursor:
            for kind in made:
                _make_role(cursor, kind)
            _grant(cursor, kinds)
            if not settings.UNION_ROLE and _retire_union(cursor, kinds):
                report(f"role {UNION}, which was all of them together, may do nothing any more")
            if unlisted := list_rights(cursor).keys() - import_module(settings.RIGHTS).RIGHTS.keys():
                report(
                    f"NO RIGHTS on {', '.join(sorted(unlisted))}: {settings.RIGHTS} does not say who may do what there"
                )
        fixtures = list_fixtures()
        report("fixtures " + ", ".join(path.stem for path in fixtures))
        if fixtures:
            call_command("loaddata", *map(str, fixtures), database=OWNER, verbosity=0)


def wait_for_release(*, wait_s: int) -> None:
    """Return once this code's migrations are applied and no release is under way; reads as this process's own role.

    A schema that is newer than the code is fine: migrations only expand. Raises: ReleaseError after `wait_s`,
    django.db.OperationalError when the database does not answer at all.
    """
    deadline = time.monotonic() + wait_s
    while True:
        missing = _missing_migrations()
        if not missing and not _release_runs():
            return
        if time.monotonic() > deadline:
            raise ReleaseError(f"the database is not released after {wait_s} s; missing: {', '.join(missing) or 'no'}")
        time.sleep(1)


def list_fixtures() -> list[Path]:
    """Return the reference data in loading order: assets first, which everything else speaks of."""
    found = sorted(Path(settings.FIXTURE_DIRS[0]).glob("*.json"))
    return sorted(found, key=lambda path: path.stem != "assets")


def list_rights(cursor: Any) -> dict[str, dict[str, str]]:
    """Return what each column of the table of rights says of each table that there is; `cursor` is the owner's.

    Nobody has a right on a table of which it says nothing.

    Raises: ReleaseError when it speaks of a table that does not exist.
    """
    module = import_module(settings.RIGHTS)
    cursor.execute(
        """SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
           AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"""
    )
    ours = {name for (name,) in cursor.fetchall()}
    if unknown := module.RIGHTS.keys() - ours:
        raise ReleaseError(f"rights are declared on tables that do not exist: {', '.join(sorted(unknown))}")
    return {name: module.RIGHTS.get(name, {}) for name in (*sorted(ours - module.RIGHTS.keys()), *module.RIGHTS)}


def _make_role(cursor: Any, kind: str) -> None:
    """Create a role that owns nothing, or set its password again: that is how a password is changed.

    Asks for no more than the right to make roles, since a database that is rented gives its owner no other. What the server
    gets is not the password but what it would keep of it (SCRAM), so that no log of a failed statement holds it.
    """
    role = role_name(str(settings.DATABASES[OWNER]["USER"]), kind)
    cursor.execute(f"SELECT {', '.join(TAKEN_AWAY)} FROM pg_roles WHERE rolname = %s", [role])  # noqa: S608 -- constants
    found = cursor.fetchone()
    too_much = [taken for has, taken in zip(found or (), TAKEN_AWAY.values(), strict=False) if has]
    master = settings.APP_DB_PASSWORD
    password = master if kind == UNION else derive_password(master, role)
    kept = encrypt_password(password, role, cursor.connection, "scram-sha-256") if password else None
    cursor.execute("SELECT current_setting('max_connections')::int / %s", [CONNECTION_SHARE])
    most = -1 if kind == UNION else cursor.fetchone()[0]
    cursor.execute(
        sql.SQL("{} ROLE {} LOGIN CONNECTION LIMIT {} {} PASSWORD {}").format(
            sql.SQL("ALTER" if found else "CREATE"),
            sql.Identifier(role),
            sql.Literal(most),
            sql.SQL(" ".join(too_much)),
            sql.Literal(kept),
        )
    )
    # A role may set defaults for its own sessions, and they stay when a thief is gone: read-only, say, or another search path.
    database = sql.Identifier(str(settings.DATABASES[OWNER]["NAME"]))
    for where in (sql.SQL(""), sql.SQL(" IN DATABASE {}").format(database)):
        cursor.execute(sql.SQL("ALTER ROLE {}{} RESET ALL").format(sql.Identifier(role), where))
    if limit := STATEMENT_TIMEOUTS.get(column_of(kind)):
        cursor.execute(
            sql.SQL("ALTER ROLE {} SET statement_timeout = {}").format(sql.Identifier(role), sql.Literal(limit))
        )


def _grant(cursor: CursorWrapper, kinds: Sequence[str]) -> None:
    """Set every right in one transaction, so that a running site never sees a table without any."""
    owner = str(settings.DATABASES[OWNER]["USER"])
    union = role_name(owner, UNION)
    everyone = [*([union] if _exists(cursor, union) else []), *(role_name(owner, kind) for kind in kinds)]
    cursor.execute(OUR_FUNCTIONS)
    functions = [name for (name,) in cursor.fetchall()]
    rights = list_rights(cursor)
    nobody = sql.SQL(", ").join([sql.SQL("PUBLIC"), *map(sql.Identifier, everyone)])
    database = sql.Identifier(str(settings.DATABASES[OWNER]["NAME"]))
    statements = [
        # A temporary table could stand in for one of ours; nobody but a release makes tables of either sort.
        sql.SQL("REVOKE TEMPORARY, CREATE ON DATABASE {} FROM {}").format(database, nobody),
        sql.SQL("REVOKE CREATE ON SCHEMA public FROM {}").format(nobody),
        sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(_names(everyone)),
        sql.SQL("REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {}").format(_names(everyone)),
    ]
    statements += [sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(sql.Identifier(table)) for table in rights]
    statements += [sql.SQL("REVOKE ALL ON FUNCTION {} FROM {}").format(sql.SQL(name), nobody) for name in functions]
    for kind in kinds:
        statements += _table_grants(role_name(owner, kind), column_of(kind), rights)
        statements += _function_grants(role_name(owner, kind), column_of(kind))
    operator = role_name(owner, "operator")
    below = [role_name(owner, kind) for kind in kinds if column_of(kind) in ("web", "worker", "chain")]
    statements.append(sql.SQL("GRANT {} TO {}").format(_names(below), sql.Identifier(operator)))
    if settings.UNION_ROLE:
        every_kind = [role_name(owner, kind) for kind in kinds]
        statements.append(sql.SQL("GRANT {} TO {}").format(_names(every_kind), sql.Identifier(union)))
    cursor.execute(sql.Composed([sql.SQL("BEGIN; "), sql.SQL("; ").join(statements), sql.SQL("; COMMIT")]))


def _retire_union(cursor: CursorWrapper, kinds: Sequence[str]) -> bool:
    """Let the role of all kinds together, which earlier releases made, do nothing and sign in no more; False if it cannot.

    It is not dropped: a database that a restore left beside this one may still name it.
    """
    owner = str(settings.DATABASES[OWNER]["USER"])
    union = role_name(owner, UNION)
    cursor.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [union])
    if (True,) not in cursor.fetchall():
        return False
    members = _names([role_name(owner, kind) for kind in kinds])
    cursor.execute(sql.SQL("REVOKE {} FROM {}").format(members, sql.Identifier(union)))
    cursor.execute(sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(sql.Identifier(union)))
    return True


def _exists(cursor: CursorWrapper, role: str) -> bool:
    cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", [role])
    return cursor.fetchone() is not None


def _names(roles: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, roles))


def _table_grants(role: str, column: str, rights: dict[str, dict[str, str]]) -> Iterator[sql.Composed]:
    for table, cells in rights.items():
        for right in read_rights(cells.get(column, "")):
            yield sql.SQL("GRANT {}{} ON {} TO {}").format(
                sql.SQL(right.verb),
                sql.SQL(" ({})").format(_names(right.columns)) if right.columns else sql.SQL(""),
                sql.Identifier(table),
                sql.Identifier(role),
            )


def _function_grants(role: str, column: str) -> Iterator[sql.Composed]:
    for function, callers in import_module(settings.RIGHTS).FUNCTIONS.items():
        if column in callers:
            yield sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.SQL(function), sql.Identifier(role))


@contextmanager
def _release_lock(*, wait_s: int) -> Iterator[None]:
    deadline = time.monotonic() + wait_s
    with connections[OWNER].cursor() as cursor:
        while True:
            # Polled: the connection's lock_timeout would end a waiting call after three seconds.
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK_KEY])
            if cursor.fetchone()[0]:
                break
            if time.monotonic() > deadline:
                raise ReleaseError(f"another release has been running for {wait_s} s")
            time.sleep(0.2)
    try:
        yield
    finally:
        connections[OWNER].close()  # the session's end frees the lock, also after an error


def _missing_migrations() -> list[str]:
    executor = MigrationExecutor(connections["default"])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def _release_runs() -> bool:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", [LOCK_KEY])
        return not cursor.fetchone()[0]
