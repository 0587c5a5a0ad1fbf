"""bin/steps/wait-for-services at its limit: which service gave no answer, and which variable gives it longer."""

import os
import runpy
import socket
import subprocess
import sys
import time

import pytest

from tests.sources import ROOT

SCRIPT = ROOT / "bin" / "steps" / "wait-for-services"


@pytest.fixture
def nobody():
    """A port on which nobody listens, and none will while the test runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield str(held.getsockname()[1])


def wait(port, seconds):
    variables = {
        "POSTGIS_PORT_5432_TCP_ADDR": "127.0.0.1",
        "POSTGIS_PORT_5432_TCP_PORT": port,
        "POSTGIS_ENV_POSTGRES_USER": "u",
        "POSTGIS_ENV_POSTGRES_PASSWORD": "p",
        "POSTGIS_ENV_POSTGRES_DB": "d",
        "REDIS_URL": f"redis://127.0.0.1:{port}/0",
        "SERVICES_WAIT_SECONDS": seconds,
        "PATH": os.environ["PATH"],
    }
    return subprocess.run(
        [sys.executable, SCRIPT], env=variables, capture_output=True, text=True, check=False, timeout=30
    )


def test_a_database_that_does_not_come_is_named_after_the_limit(nobody):
    began = time.monotonic()

    told = wait(nobody, "1")

    assert told.returncode == 1
    assert 1 <= time.monotonic() - began < 10
    assert "error: PostGIS does not answer within 1 s" in told.stderr
    assert "SERVICES_WAIT_SECONDS gives it longer" in told.stderr


def test_a_redis_that_does_not_come_is_named_after_the_limit(nobody, monkeypatch, capsys):
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{nobody}/0")
    names = runpy.run_path(str(SCRIPT))

    assert not names["wait_for"]("Redis", names["ask_redis"], limit=1, deadline=time.monotonic() + 1)
    assert "error: Redis does not answer within 1 s" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["abc", "0", "-1", "1.5", "1e3", "60s"])
def test_a_limit_that_is_none_is_refused_by_name(nobody, seconds):
    told = wait(nobody, seconds)

    assert told.returncode == 1
    assert told.stderr.startswith(f"error: SERVICES_WAIT_SECONDS is '{seconds}', not a whole number of seconds.")
    assert "Traceback" not in told.stderr
