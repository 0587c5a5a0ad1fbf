"""GET /health/ says whether the database answers, to whoever asks and however."""

import pytest
from django.db import OperationalError, connection

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _as_a_server(settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.ALLOWED_HOSTS = ["site.example"]


@pytest.fixture
def broken(monkeypatch):
    """Let the first N questions to the database fail; a broken connection is closed, which the tests' must not be."""
    left = {"failures": 0, "closed": 0}
    genuine = type(connection._connections["default"]).cursor

    def cursor(self, *arguments):
        if left["failures"] > 0:
            left["failures"] -= 1
            raise OperationalError("the server closed the connection: secret-host")
        return genuine(self, *arguments)

    def close(self):
        left["closed"] += 1

    monkeypatch.setattr(type(connection._connections["default"]), "cursor", cursor)
    monkeypatch.setattr(type(connection._connections["default"]), "close", close)
    return left


def test_answers_plain_http_to_a_host_that_is_not_the_sites(client):
    response = client.get("/health/", headers={"host": "10.0.0.7:8000"})

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok"}
    assert response["Cache-Control"] == "no-store"


def test_leaves_every_other_path_behind_the_redirect_and_the_hosts(client):
    assert client.get("/health/other", headers={"host": "site.example"}).status_code == 301
    assert client.get("/en/", headers={"host": "10.0.0.7"}).status_code == 400


def test_says_that_the_database_is_away_and_nothing_about_it(client, broken):
    broken["failures"] = 2

    response = client.get("/health/")

    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "database": "unreachable"}


def test_tries_once_more_with_a_fresh_connection(client, broken):
    broken["failures"] = 1

    assert client.get("/health/").status_code == 200
    assert broken["closed"] >= 1


def test_asks_and_never_writes(client):
    assert client.post("/health/").status_code == 405
    assert client.head("/health/").status_code == 200
