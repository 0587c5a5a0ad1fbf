"""Connections as each role of a served site, for whoever has stolen one."""

from collections.abc import Callable, Iterator

import psycopg2
import pytest
from django.conf import settings
from psycopg2 import extensions

from core.database_roles import derive_password, role_name


@pytest.fixture
def thief(django_db_setup: None) -> Iterator[Callable[[str], extensions.connection]]:
    """Return what opens a connection as the role of a kind of process; sees only what was committed."""
    opened = []

    def steal(kind: str) -> extensions.connection:
        known = settings.DATABASES["default"]
        role = role_name(settings.DATABASES["owner"]["USER"], kind)
        raw = psycopg2.connect(
            host=known["HOST"],
            port=known["PORT"],
            dbname=known["NAME"],
            user=role,
            password=derive_password(settings.APP_DB_PASSWORD, role),
        )
        opened.append(raw)
        return raw

    yield steal
    for raw in opened:
        raw.close()
