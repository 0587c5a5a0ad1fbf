"""Brings the database to what the code expects: migrations, the application's role and its rights, reference data.

The one place that acts as the owner of the tables. Web, worker and beat connect as a role that owns nothing.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor
from psycopg2 import sql
from psycopg2.extensions import encrypt_password

OWNER = "owner"
LOCK_KEY = 0x6E657863  # advisory lock, per database: one release at a time, and nobody starts during one
EVERY_RIGHT = ("SELECT", "INSERT", "UPDATE", "DELETE")
TAKEN_AWAY = (
    "NOSUPERUSER",
    "NOCREATEDB",
    "NOCREATEROLE",
    "NOREPLICATION",
)  # of the application's role, should it have them
# Tables that no app of ours owns: what PostGIS and Django's migrations keep is read, never written.
FOREIGN_TABLES = ("spatial_ref_sys", "django_migrations")


class ReleaseError(Exception):
    """The release cannot go on, or did not come in time; the message says which of the two and why."""


def run_release(*, wait_s: int, report: Callable[[str], Any]) -> None:
    """Migrate, make the role, grant its rights, load the fixtures; safe to repeat, and to start twice at once.

    Holds a session-level advisory lock throughout. Raises: ReleaseError when another release keeps it for `wait_s`.
    """
    with _release_lock(wait_s=wait_s):
        report("migrations")
        call_command("migrate", database=OWNER, interactive=False, verbosity=0)
        report(f"role {settings.APP_ROLE}")
        with connections[OWNER].cursor() as cursor:
            _make_role(cursor)
            _grant(cursor)
        fixtures = list_fixtures()
        report("fixtures " + ", ".join(path.stem for path in fixtures))
        if fixtures:
            call_command("loaddata", *map(str, fixtures), database=OWNER, verbosity=0)


def wait_for_release(*, wait_s: int) -> None:
    """Return once this code's migrations are applied and no release is under way; reads as the application's role.

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


def list_rights() -> dict[str, tuple[str, ...]]:
    """Return what the application's role may do with each table of the models, after the apps' own declarations."""
    introspection = connections[OWNER].introspection
    ours = introspection.django_table_names(only_existing=True, include_views=False)
    rights = dict.fromkeys(ours, EVERY_RIGHT)
    rights.update(dict.fromkeys(FOREIGN_TABLES, ("SELECT",)))
    for config in apps.get_app_configs():
        declared = dict.fromkeys(getattr(config, "append_only_tables", ()), ("SELECT", "INSERT"))
        declared.update(dict.fromkeys(getattr(config, "read_only_tables", ()), ("SELECT",)))
        if unknown := declared.keys() - set(introspection.table_names()):
            raise ReleaseError(f"{config.name} declares rights on tables that do not exist: {sorted(unknown)}")
        rights.update(declared)
    return rights


def _make_role(cursor: Any) -> None:
    """Create the role that owns nothing, or set its password again: that is how a password is changed.

    Asks for no more than the right to make roles, since a database that is rented gives its owner no other. What the server
    gets is not the password but what it would keep of it (SCRAM), so that no log of a failed statement holds it.
    """
    cursor.execute(
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication FROM pg_roles WHERE rolname = %s",
        [settings.APP_ROLE],
    )
    found = cursor.fetchone()
    too_much = [taken for has, taken in zip(found or (), TAKEN_AWAY, strict=False) if has]
    password = settings.APP_DB_PASSWORD
    kept = encrypt_password(password, settings.APP_ROLE, cursor.connection, "scram-sha-256") if password else None
    cursor.execute(
        sql.SQL("{} ROLE {} LOGIN {} PASSWORD {}").format(
            sql.SQL("ALTER" if found else "CREATE"),
            sql.Identifier(settings.APP_ROLE),
            sql.SQL(" ".join(too_much)),
            sql.Literal(kept),
        )
    )


def _grant(cursor: CursorWrapper) -> None:
    """Set every table's rights in one transaction, so that a running site never sees a table without any."""
    role = sql.Identifier(settings.APP_ROLE)
    statements = [sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(role)]
    statements += [
        sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(", ").join(map(sql.SQL, rights)), sql.Identifier(table), role)
        for table, rights in sorted(list_rights().items())
    ]
    statements.append(sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(role))
    cursor.execute(sql.Composed([sql.SQL("BEGIN; "), sql.SQL("; ").join(statements), sql.SQL("; COMMIT")]))


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
