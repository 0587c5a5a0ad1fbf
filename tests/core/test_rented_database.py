"""`release` as the owner of a rented database: one that may make roles, and is no superuser."""

import os
import subprocess
import sys
from contextlib import closing

import psycopg2
import psycopg2.errors
import pytest
from django.conf import settings

from core.database_roles import derive_password, list_kinds, role_name
from core.networks import CHAINS
from tests.sources import ROOT

PASSWORD = "$ecret 'of' the site"
RENTED = f"rented_{os.getpid()}"


@pytest.fixture
def owner(as_owner):
    """The environment of a release for that owner; the extension is there, as who rents it out has to see to."""
    as_owner.execute(f"CREATE ROLE {RENTED} LOGIN CREATEROLE PASSWORD 'owners'")
    as_owner.execute(f"CREATE DATABASE {RENTED} OWNER {RENTED}")
    known = settings.DATABASES["owner"]
    with (
        closing(
            psycopg2.connect(
                host=known["HOST"], port=known["PORT"], user=known["USER"], password=known["PASSWORD"], dbname=RENTED
            )
        ) as mighty,
        mighty.cursor() as cursor,
    ):
        cursor.execute("CREATE EXTENSION postgis")
        mighty.commit()
    yield {
        **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        "DJANGO_SETTINGS_MODULE": "nexchange.settings_test",
        "POSTGIS_PORT_5432_TCP_ADDR": known["HOST"],
        "POSTGIS_PORT_5432_TCP_PORT": str(known["PORT"]),
        "POSTGIS_ENV_POSTGRES_DB": RENTED,
        "POSTGIS_ENV_POSTGRES_USER": RENTED,
        "POSTGIS_ENV_POSTGRES_PASSWORD": "owners",
        "APP_DB_PASSWORD": PASSWORD,
    }
    as_owner.execute(f"DROP DATABASE {RENTED} WITH (FORCE)")
    for kind in ("", *list_kinds(CHAINS)):
        as_owner.execute(f"DROP ROLE IF EXISTS {role_name(RENTED, kind)}")
    as_owner.execute(f"DROP ROLE {RENTED}")


def release(environment):
    return subprocess.run(
        [sys.executable, "manage.py", "release"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_releases_twice_and_the_server_never_sees_the_password(owner, as_owner):
    for _ in range(2):
        done = release(owner)
        assert done.returncode == 0, done.stdout + done.stderr

    as_owner.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [f"{RENTED}_app"])
    assert as_owner.fetchone()[0].startswith("SCRAM-SHA-256$")
    psycopg2.connect(
        host=owner["POSTGIS_PORT_5432_TCP_ADDR"],
        port=owner["POSTGIS_PORT_5432_TCP_PORT"],
        user=f"{RENTED}_app",
        password=PASSWORD,
        dbname=RENTED,
    ).close()


@pytest.mark.slow
def test_a_role_that_may_too_much_is_put_in_its_place_or_named(owner, as_owner):
    as_owner.execute(f"CREATE ROLE {RENTED}_app LOGIN CREATEDB")
    assert release(owner).returncode == 0
    as_owner.execute("SELECT rolcreatedb FROM pg_roles WHERE rolname = %s", [f"{RENTED}_app"])
    assert as_owner.fetchone() == (False,)

    as_owner.execute(f"ALTER ROLE {RENTED}_app SUPERUSER")
    refused = release(owner)

    assert refused.returncode != 0
    assert "superuser" in refused.stderr
    assert PASSWORD not in refused.stdout + refused.stderr


@pytest.mark.slow
def test_what_a_thief_left_behind_in_its_role_ends_with_the_next_release(owner, as_owner):
    assert release(owner).returncode == 0
    web = role_name(RENTED, "web")
    stolen = psycopg2.connect(
        host=owner["POSTGIS_PORT_5432_TCP_ADDR"],
        port=owner["POSTGIS_PORT_5432_TCP_PORT"],
        user=web,
        password=derive_password(PASSWORD, web),
        dbname=RENTED,
    )
    with closing(stolen), stolen, stolen.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {web} SET default_transaction_read_only = on")
        cursor.execute(f"ALTER ROLE {web} SET statement_timeout = 0")
        cursor.execute(f"ALTER ROLE {web} IN DATABASE {RENTED} SET search_path = pg_catalog")
        cursor.execute(f"ALTER ROLE {web} PASSWORD 'the thief knows'")

    assert release(owner).returncode == 0
    as_owner.execute("SELECT unnest(setconfig) FROM pg_db_role_setting WHERE setrole = %s::regrole", [web])
    assert as_owner.fetchall() == [("statement_timeout=10s",)]
    psycopg2.connect(
        host=owner["POSTGIS_PORT_5432_TCP_ADDR"],
        port=owner["POSTGIS_PORT_5432_TCP_PORT"],
        user=web,
        password=derive_password(PASSWORD, web),
        dbname=RENTED,
    ).close()


@pytest.mark.slow
def test_on_a_server_nobody_works_as_all_kinds_together(owner, as_owner):
    """Earlier releases made that role; it goes with the first that has a role for each process."""
    assert release(owner).returncode == 0
    server = owner | {"DJANGO_SETTINGS_MODULE": "nexchange.settings_prod", "DB_ROLE": "operator"}

    done = release(server)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "role app, which was all of them together, may do nothing any more" in done.stdout
    as_owner.execute(
        """SELECT rolcanlogin, EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid) FROM pg_roles r
           WHERE rolname = %s""",
        [f"{RENTED}_app"],
    )
    assert as_owner.fetchall() == [(False, False)]
    again = release(server)
    assert (again.returncode, "role app" in again.stdout) == (0, False)
    as_owner.execute(f"DROP OWNED BY {RENTED}_app; DROP ROLE {RENTED}_app")
    assert release(server).returncode == 0
    as_owner.execute("SELECT FROM pg_roles WHERE rolname = %s", [f"{RENTED}_app"])
    assert as_owner.fetchall() == []


@pytest.mark.slow
def test_a_table_that_the_table_of_rights_does_not_know_is_nobodys_and_is_named(owner, as_owner):
    assert release(owner).returncode == 0
    place = {"host": owner["POSTGIS_PORT_5432_TCP_ADDR"], "port": owner["POSTGIS_PORT_5432_TCP_PORT"], "dbname": RENTED}
    with closing(psycopg2.connect(user=RENTED, password="owners", **place)) as raw, raw, raw.cursor() as cursor:
        cursor.execute("CREATE TABLE orders_forgotten (id bigint)")
        cursor.execute(f"GRANT ALL ON orders_forgotten TO {role_name(RENTED, 'web')}, PUBLIC")

    done = release(owner)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "NO RIGHTS on orders_forgotten: nexchange.rights does not say who may do what there" in done.stdout
    for kind in ("", *list_kinds(CHAINS)):
        role = role_name(RENTED, kind)
        password = derive_password(PASSWORD, role) if kind else PASSWORD
        with closing(psycopg2.connect(user=role, password=password, **place)) as raw, raw.cursor() as cursor:
            for statement in ("SELECT FROM orders_forgotten", "INSERT INTO orders_forgotten VALUES (1)"):
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cursor.execute(statement)
                raw.rollback()
