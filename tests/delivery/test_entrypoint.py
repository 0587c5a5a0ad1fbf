"""What entrypoint.sh exports and becomes, tried with stand-ins for the programs it calls."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading

import pytest

from tests.sources import ROOT

STAND_IN = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
with open(os.environ["CALLS"] + ".environment", "w") as seen:
    json.dump(dict(os.environ), seen)
if "static-files" in sys.argv[0]:
    print("/html/.releases/record")
sys.exit(int(os.environ.get("FAIL_" + os.path.basename(sys.argv[0]).replace("-", "_"), "0")))
"""


class Container:
    """A folder that looks like /app, and the script run in it with nothing in the environment but what a test gives."""

    def __init__(self, folder):
        self.app, self.calls_file = folder / "app", folder / "calls"
        for name in (
            "programs/python",
            "programs/newrelic-admin",
            "programs/celery",
            "app/bin/worker",
            "app/bin/static-files",
        ):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(STAND_IN)
            path.chmod(0o755)
        self.machine = {
            "PATH": f"{folder / 'programs'}:/usr/bin:/bin",
            "APP_DIR": str(self.app),
            "HTML_ROOT": str(folder / "html"),
            "TMPDIR": str(folder),
            "CALLS": str(self.calls_file),
        }

    def run(self, *arguments, **variables):
        return subprocess.run(
            [shutil.which("bash"), ROOT / "entrypoint.sh", *arguments],
            env=self.machine | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def calls(self):
        return [json.loads(line) for line in self.calls_file.read_text().splitlines()]

    def environment(self):
        return json.loads((self.calls_file.parent / "calls.environment").read_text())


@pytest.fixture
def container(tmp_path):
    return Container(tmp_path)


def test_web_waits_puts_the_files_in_place_and_becomes_gunicorn_under_the_agent(container):
    done = container.run(
        "web",
        GUNICORN_PORT="8123",
        POSTGIS_WAIT_SECONDS="7",
        SCHEMA_WAIT_SECONDS="9",
        GUNICORN_WORKERS="3",
        GUNICORN_THREADS="7",
    )

    assert done.returncode == 0, done.stderr
    wait, publish, serve = container.calls()
    assert wait == ["python", "manage.py", "release", "--wait", "--database-seconds", "7", "--seconds", "9"]
    assert publish == ["static-files", "publish", "staticfiles", "media", container.machine["HTML_ROOT"]]
    assert serve[:4] == ["newrelic-admin", "run-program", "gunicorn", "nexchange.wsgi"]
    text = " ".join(serve)
    for option in (
        "--bind 0.0.0.0:8123",
        "--workers 3",
        "--threads 7",
        "--access-logfile -",
        "--error-logfile -",
        "--no-control-socket",
    ):
        assert option in text


def test_no_role_given_is_web(container):
    container.run()

    assert container.calls()[-1][:3] == ["newrelic-admin", "run-program", "gunicorn"]


def test_worker_serves_the_queue_it_is_told(container):
    assert container.run("worker", "litecoin").returncode == 0

    assert container.calls()[0][:4] == ["python", "manage.py", "release", "--wait"]
    assert container.calls()[1] == ["worker", "litecoin"]


def test_beat_keeps_its_schedule_where_a_read_only_container_can_write(container):
    assert container.run("beat").returncode == 0

    assert container.calls()[1][:6] == ["celery", "--app", "nexchange", "beat", "--schedule", "/tmp/beat"]  # noqa: S108


def test_release_changes_the_schema_and_then_makes_the_superuser(container):
    assert container.run("release").returncode == 0

    release, superuser = container.calls()
    assert release[:3] == ["python", "manage.py", "release"]
    assert "--wait" not in release
    assert superuser == ["python", "manage.py", "ensure_superuser"]


def test_manage_passes_its_arguments_as_they_are_and_waits_for_nothing(container):
    container.run("manage", "shell", "-c", "print('a  b $x')")

    assert container.calls() == [["python", "manage.py", "shell", "-c", "print('a  b $x')"]]


def test_a_signer_serves_the_network_it_is_told(container):
    assert container.run("signer", "litecoin").returncode == 0

    assert container.calls()[0][:4] == ["python", "manage.py", "release", "--wait"]
    assert container.calls()[1] == ["python", "manage.py", "signer", "litecoin"]


@pytest.mark.parametrize(
    ("role", "connects_as"),
    [
        (["web"], "web"),
        (["worker", "default"], "worker"),
        (["worker", "ethereum"], "worker_ethereum"),
        (["signer", "ethereum"], "signer_ethereum"),
        (["beat"], "beat"),
        (["release"], "operator"),
        (["manage", "cases"], "operator"),
    ],
)
def test_each_role_connects_as_its_own_kind(container, role, connects_as):
    """Also with a key file: no process signs as all kinds together."""
    container.run(*role, KEY_FILE="/run/keys/ethereum.json")

    assert container.environment()["DB_ROLE"] == connects_as


def test_a_command_works_as_the_kind_of_its_container(container):
    """A payout is approved where the signer's journal lies, with no more rights than the signer has."""
    container.run("manage", "approve_payout", "7", DB_ROLE="signer_litecoin", KEY_FILE="/run/keys/litecoin.json")

    assert container.environment()["DB_ROLE"] == "signer_litecoin"
    assert container.environment()["KEY_FILE"] == "/run/keys/litecoin.json"


def test_prune_static_hands_on_how_long_files_are_kept(container):
    container.run("prune-static", STATIC_KEEP_HOURS="48")

    assert container.calls() == [["static-files", "prune", "staticfiles", container.machine["HTML_ROOT"], "48"]]


@pytest.mark.parametrize("role", ["web", "release"])
def test_nothing_is_started_when_the_database_does_not_come(container, role):
    assert container.run(role, FAIL_python="1").returncode == 1

    assert len(container.calls()) == 1


def test_web_does_not_start_when_the_static_files_cannot_be_put_in_place(container):
    assert container.run("web", FAIL_static_files="1").returncode == 1

    assert container.calls()[-1][0] == "static-files"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["wbe"], "'wbe' is not a role"),
        (["worker"], "worker wants the name of one queue"),
        (["worker", "a", "b"], "worker wants the name of one queue"),
        (["signer"], "signer wants the name of one network"),
    ],
)
def test_refuses_what_is_no_role(container, arguments, said):
    done = container.run(*arguments)

    assert done.returncode == 1
    assert said in done.stderr
    assert not container.calls_file.exists()


def test_the_defaults_are_those_of_the_description(container):
    container.run("manage", "check", NEW_RELIC_ENVIRONMENT="", NEW_RELIC_CONFIG_FILE="", DATABASE_CONTAINER="")

    seen = container.environment()
    assert seen["DJANGO_SETTINGS_MODULE"] == "nexchange.settings_prod"
    assert seen["POSTGIS_PORT_5432_TCP_ADDR"] == "postgis"
    assert seen["POSTGIS_PORT_5432_TCP_PORT"] == "5432"
    assert seen["GUNICORN_PORT"] == "8000"
    assert seen["NEW_RELIC_ENABLED"] == "false"
    assert not {"NEW_RELIC_CONFIG_FILE", "NEW_RELIC_ENVIRONMENT", "NEW_RELIC_LICENSE_KEY"} & seen.keys()


def test_the_database_is_the_container_named_unless_an_address_is_given(container):
    container.run("manage", "check", DATABASE_CONTAINER="elsewhere")
    assert container.environment()["POSTGIS_PORT_5432_TCP_ADDR"] == "elsewhere"

    container.run("manage", "check", DATABASE_CONTAINER="elsewhere", POSTGIS_PORT_5432_TCP_ADDR="db.example")
    assert container.environment()["POSTGIS_PORT_5432_TCP_ADDR"] == "db.example"


def test_variables_for_the_agent_reach_it(container):
    (container.app / "agent.ini").write_text("[newrelic]\n")

    container.run(
        "manage",
        "check",
        NEW_RELIC_LICENSE_KEY="k$'# 1",
        NEW_RELIC_ENVIRONMENT="staging",
        NEW_RELIC_CONFIG_FILE="agent.ini",
    )

    seen = container.environment()
    assert seen["NEW_RELIC_LICENSE_KEY"] == "k$'# 1"
    assert seen["NEW_RELIC_ENVIRONMENT"] == "staging"
    assert seen["NEW_RELIC_CONFIG_FILE"] == str(container.app / "agent.ini")
    assert "NEW_RELIC_ENABLED" not in seen


def test_an_agent_file_that_is_not_there_is_named(container):
    done = container.run("web", NEW_RELIC_CONFIG_FILE="other.ini")

    assert done.returncode == 1
    assert "NEW_RELIC_CONFIG_FILE=other.ini" in done.stderr


@pytest.mark.parametrize("port", ["80x", "", "99999999"])
def test_a_port_is_a_number(container, port):
    done = container.run("manage", "check", GUNICORN_PORT=port)

    assert (done.returncode == 0) == (port == "")
    assert port == "" or "GUNICORN_PORT" in done.stderr


@pytest.fixture
def answering():
    """A server on loopback that answers one request with the status line it is told."""
    listening = socket.create_server(("127.0.0.1", 0))

    def start(status):
        def answer():
            connection, _ = listening.accept()
            with connection:
                asked = b""
                while not asked.endswith(b"\r\n\r\n"):
                    asked += connection.recv(4096)
                connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

        threading.Thread(target=answer, daemon=True).start()
        return str(listening.getsockname()[1])

    yield start
    listening.close()


def test_health_vouches_for_the_static_files_of_its_release(container, answering, tmp_path):
    record = tmp_path / "record"
    record.touch()
    os.utime(record, (1, 1))
    (tmp_path / "static-files.record").write_text(f"{record}\n")

    done = container.run("health", GUNICORN_PORT=answering("200 OK"))

    assert done.returncode == 0, done.stderr
    assert record.stat().st_mtime > 1


def test_health_fails_when_the_site_says_so_or_nothing_listens(container, answering):
    ill = container.run("health", GUNICORN_PORT=answering("503 Service Unavailable"))
    assert ill.returncode == 1
    assert "answered 503" in ill.stderr

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert container.run("health", GUNICORN_PORT=str(port)).returncode != 0


def test_every_role_in_the_usage_is_tried_here():
    usage = (ROOT / "entrypoint.sh").read_text().split('"roles: ')[1].split('"')[0]

    tried = (ROOT / "tests/delivery/test_entrypoint.py").read_text()

    for role in re.findall(r"\b[a-z-]+\b", usage):
        assert f'"{role}"' in tried, role
