"""The suite's database: a template made by the command `release`, a clone of it for each run, two roles.

Ordinary tests (`@pytest.mark.django_db`) run inside a transaction that is rolled back. Tests that need real commits ask
for `committed_db`: their database is thrown away and cloned again afterwards, because nothing may truncate the ledger.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.conf import settings as django_settings
from django.db import connections
from hypothesis import settings as hypothesis_settings
from psycopg2 import extensions
from pytest_django.plugin import DjangoDbBlocker

from core.snapshot import forget_all
from tests.databases import TestDatabase

pytest_plugins = ("tests.plugin_nodes", "tests.plugin_exchange")

# No example may be failed for the time it took: on a busy machine that says nothing of the code.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")


def pytest_configure() -> None:
    if not (os.environ.get("DATABASE_URL") or os.environ.get("POSTGIS_PORT_5432_TCP_ADDR")):
        raise pytest.UsageError("No database: run bin/test (it takes the same arguments as pytest).")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    unasked = [mark for mark in ("docker", "night") if mark not in config.option.markexpr]
    if left_out := [item for item in items if any(map(item.get_closest_marker, unasked))]:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker and (marker.kwargs.get("transaction") or "committed_db" in getattr(item, "fixturenames", ())):
            raise pytest.UsageError(f"{item.nodeid}: for real commits use the fixture committed_db, without django_db.")


@pytest.fixture(scope="session")
def test_database() -> Iterator[TestDatabase]:
    """The run's own database, cloned from the template; dropped at the end."""
    database = TestDatabase(django_settings.DATABASES["owner"])
    database.prepare_template()
    database.clone()
    yield database
    database.end()


@pytest.fixture(scope="session")
def django_db_setup(test_database: TestDatabase) -> None:
    """Point both aliases at the run's database (pytest-django asks for a fixture of this name)."""
    for alias in ("default", "owner"):
        django_settings.DATABASES[alias]["NAME"] = test_database.name
        connections[alias].settings_dict["NAME"] = test_database.name


@pytest.fixture
def committed_db(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, test_database: TestDatabase
) -> Iterator[None]:
    """Real commits, seen by threads and child processes. The database is replaced by a fresh copy afterwards."""
    with django_db_blocker.unblock():
        yield
        connections.close_all()
    test_database.renew()


@pytest.fixture
def transactional_db(committed_db: None) -> None:
    """What pytest-django's `live_server` asks for: real commits, without Django's flush by TRUNCATE."""


@pytest.fixture(autouse=True)
def _nothing_remembered(settings: Any, tmp_path: Path) -> Iterator[None]:
    """What lives outside the database does not pass from test to test: kept prices and catalogue, the payout journal."""
    settings.PAYOUT_JOURNAL = str(tmp_path / "payouts.journal")
    settings.SIGNER_JOURNAL_DIR = str(tmp_path / "signer")
    forget_all()
    yield
    forget_all()


@pytest.fixture
def as_owner(django_db_setup: None) -> Iterator[extensions.cursor]:
    """A raw cursor of the tables' owner, each statement its own transaction; sees only what was committed."""
    with closing(_connect("owner")) as raw, raw.cursor() as cursor:
        yield cursor


@pytest.fixture
def as_app(django_db_setup: None) -> Iterator[extensions.connection]:
    """A raw connection of the application's role, apart from Django's; sees only what was committed."""
    with closing(_connect("default")) as raw:
        raw.autocommit = False
        yield raw


def _connect(alias: str) -> extensions.connection:
    known = django_settings.DATABASES[alias]
    raw = psycopg2.connect(
        host=known["HOST"], port=known["PORT"], user=known["USER"], password=known["PASSWORD"], dbname=known["NAME"]
    )
    raw.autocommit = True
    return raw


@pytest.fixture
def process_env(django_db_setup: None, test_database: TestDatabase) -> dict[str, str]:
    """Return the environment in which a child `manage.py` or `celery` works on the same database, Redis and settings.

    For tests with `committed_db`: a child sees only what was committed.
    """
    owner = django_settings.DATABASES["owner"]
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "nexchange.settings_test",
        "POSTGIS_PORT_5432_TCP_ADDR": owner["HOST"],
        "POSTGIS_PORT_5432_TCP_PORT": str(owner["PORT"]),
        "POSTGIS_ENV_POSTGRES_USER": owner["USER"],
        "POSTGIS_ENV_POSTGRES_PASSWORD": owner["PASSWORD"],
        "POSTGIS_ENV_POSTGRES_DB": test_database.name,
        "APP_DB_PASSWORD": django_settings.APP_DB_PASSWORD,
        "REDIS_URL": django_settings.REDIS_URL,
        "PAYOUT_JOURNAL": django_settings.PAYOUT_JOURNAL,
        "SIGNER_JOURNAL_DIR": django_settings.SIGNER_JOURNAL_DIR,
        "PYTHONPATH": str(Path(__file__).parent.parent),
    }
