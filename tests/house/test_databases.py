"""The two roles and the test database: what the application's role may do, and that commits do not leak."""

import subprocess
import sys

import psycopg2
import pytest
from django.conf import settings
from django.db import connection

from core import clock
from core.models import Asset
from wallets.models import Freeze


@pytest.mark.django_db
def test_connects_as_a_role_that_owns_nothing():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (settings.APP_ROLE, False)
        cursor.execute("SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = current_user")
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE core_asset CASCADE",
        "DROP TABLE core_asset",
        "ALTER TABLE core_asset DISABLE TRIGGER ALL",
        "UPDATE ledger_posting SET amount_minor = 1",
        "DELETE FROM wallets_coinhold",
        "DELETE FROM wallets_noncehold",
        "DELETE FROM wallets_freeze",
        "DELETE FROM orders_promise",
        "DELETE FROM orders_idempotencykey",
        "CREATE TEMPORARY TABLE mine (id int)",
        "SELECT setval('orders_order_id_seq', 1)",
        "DELETE FROM ledger_entry",
        "INSERT INTO django_migrations (app, name, applied) VALUES ('x', 'x', now())",
        "CREATE TABLE mine (id int)",
    ],
)
def test_database_refuses_the_application_role(as_app, statement):
    with as_app.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(statement)


@pytest.mark.django_db
def test_release_has_loaded_the_assets():
    assert Asset.objects.filter(code="LTC").exists()


@pytest.mark.parametrize("run", ["first", "second"])
def test_commits_do_not_reach_the_next_test(committed_db, as_owner, run):
    seen_before = Freeze.objects.filter(scope="changed").exists()

    Freeze.objects.create(scope="changed", reason="", frozen_at=clock.now(), frozen_by="test")

    as_owner.execute("SELECT count(*) FROM wallets_freeze WHERE scope = 'changed'")
    assert as_owner.fetchone() == (1,)
    assert not seen_before


def test_child_process_sees_what_was_committed(committed_db, process_env):
    Freeze.objects.create(scope="seen by the child", reason="", frozen_at=clock.now(), frozen_by="test")

    code = "import django; django.setup(); from wallets.models import Freeze; print(Freeze.objects.get().scope)"
    told = subprocess.run([sys.executable, "-c", code], env=process_env, capture_output=True, text=True, check=True)

    assert told.stdout == "seen by the child\n"
