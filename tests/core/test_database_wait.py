"""Whoever waits for the database learns what is wrong and what to do, and never waits longer than told."""

import os
import subprocess
import sys

import pytest
from django.db import OperationalError, connections

from core import database_wait
from core.database_wait import DatabaseSilent, wait_for_database
from tests.sources import ROOT


def answer_with(monkeypatch, *answers):
    """Let `ensure_connection` fail with each of these in turn, the last one for ever; None lets it in."""
    left = list(answers)

    def ensure_connection(self):
        answer = left.pop(0) if len(left) > 1 else left[0]
        if answer is not None:
            raise OperationalError(answer)

    monkeypatch.setattr(type(connections["default"]), "ensure_connection", ensure_connection)
    monkeypatch.setattr(database_wait, "PAUSE_S", 0)


def test_goes_on_as_soon_as_the_server_lets_it_in(monkeypatch):
    said = []
    answer_with(monkeypatch, "connection refused", "the database system is starting up", None)

    wait_for_database("default", wait_s=30, report=said.append)

    assert len(said) == 1
    assert said[0].startswith("waiting for PostGIS at ")


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        ('FATAL:  password authentication failed for user "x"', "run `release` first"),
        ('FATAL:  database "x" does not exist', "POSTGIS_ENV_POSTGRES_DB"),
        ('could not translate host name "x" to address', "DATABASE_CONTAINER"),
        ("fe_sendauth: no password supplied", "APP_DB_PASSWORD"),
        ("connection refused", "can be reached from here"),
    ],
)
def test_names_the_cause_and_the_remedy(answer, remedy, monkeypatch):
    answer_with(monkeypatch, f"connection to server failed:\n{answer}\n")

    with pytest.raises(DatabaseSilent) as silent:
        wait_for_database("default", wait_s=0, report=print)

    assert answer in str(silent.value)
    assert remedy in str(silent.value)


@pytest.mark.slow
def test_the_command_ends_with_one_sentence_instead_of_a_traceback():
    ended = subprocess.run(
        [sys.executable, "manage.py", "release", "--wait", "--database-seconds", "1"],
        cwd=ROOT,
        env={**os.environ, "POSTGIS_PORT_5432_TCP_ADDR": "127.0.0.1", "POSTGIS_PORT_5432_TCP_PORT": "9"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode == 1
    assert "PostGIS at 127.0.0.1:9 did not let" in ended.stderr
    assert "within 1 s" in ended.stderr
    assert "Traceback" not in ended.stderr
