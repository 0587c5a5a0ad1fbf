"""GET /health/ says whether the database answers, to whoever asks and however."""

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from core.health import operator_token
from core.heartbeat import beat
from core.snapshot import forget_all
from wallets.models import ChainState

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
    assert response.json() == {"status": "ok", "database": "ok", "assets": {"LTC": "paused", "ETH": "paused"}}
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


def test_says_what_is_sold_and_to_the_operator_alone_why_not(client):
    ChainState.objects.create(code="litecoin", identity="x", problem="node: secret-host is away")
    forget_all()

    told = client.get("/health/")
    assert told.json()["assets"] == {"LTC": "paused", "ETH": "paused"}
    assert "secret-host" not in told.content.decode()
    assert "causes" not in client.get("/health/", headers={"authorization": "Bearer guessed"}).json()

    body = client.get("/health/", headers={"authorization": f"Bearer {operator_token()}"}).json()
    assert "LTC chain_problem (node: secret-host is away)" in body["causes"]["ETH"]
    assert set(body) == {
        "status",
        "database",
        "assets",
        "causes",
        "heartbeats",
        "reconciliations",
        "wait_for_approval",
        "clock_off_s",
        "ceilings",
        "hints",
    }


def test_the_command_healthy_says_whether_a_work_was_done_in_time(settings):
    settings.HEARTBEAT_LIMITS_S = {"scan": 9}
    with pytest.raises(CommandError, match="never"):
        call_command("healthy", "scan:litecoin")
    with pytest.raises(CommandError, match="nobody"):
        call_command("healthy", "nothing")
    beat("scan:litecoin")
    call_command("healthy", "scan:litecoin")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_heartbeat SET at = at - interval '10 s'")
    with pytest.raises(CommandError, match="10 s ago, limit 9"):
        call_command("healthy", "scan:litecoin")
    call_command("healthy", "scan:litecoin", "--within", "60")
