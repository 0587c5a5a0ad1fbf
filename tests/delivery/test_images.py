"""The production image as it will run: read-only, without rights, beside a database and a Redis of ours."""

import base64
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from tests.delivery.engine import APP_IMAGE, Engine, docker, inspect, wait_for
from tests.delivery.wercker import BOX
from tests.sources import ROOT

pytestmark = pytest.mark.docker

POSTGIS, REDIS = "mdillon/postgis:latest", "redis:latest"
LARGEST_MB = 450
LOCKED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")  # noqa: S108
OWNER_PASSWORD = "o$w#n'e\"r pass"
SITE = {
    "SITE_MODE": "demo",
    "TICKER_MARKET": "demo",
    "ALLOWED_HOSTS": "site.example",
    "SECRET_KEY": "s$'\" #" + "0123456789" * 5,
    "TOKEN_KEY": "t" * 50,
    "APP_DB_PASSWORD": "a$p#p'\" password",
    "DATABASE_CONTAINER": "database",
    "POSTGIS_ENV_POSTGRES_USER": "chief",
    "POSTGIS_ENV_POSTGRES_DB": "trade",
}

BEHIND_NGINX = {"Host": "site.example", "X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def engine():
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def database(engine):
    given = {"POSTGRES_USER": "chief", "POSTGRES_PASSWORD": OWNER_PASSWORD, "POSTGRES_DB": "trade"}
    container = engine.start("database", POSTGIS, **given)
    engine.start("redis", REDIS, options=("--read-only",))
    engine.wait_until_healthy(container)
    return container


@pytest.fixture(scope="module")
def released(engine, database):
    chief = {"DJANGO_SUPERUSER_USERNAME": "root", "DJANGO_SUPERUSER_PASSWORD": "correct-horse-battery"}
    done = engine.run(
        APP_IMAGE, "release", options=LOCKED, **SITE, **chief, POSTGIS_ENV_POSTGRES_PASSWORD=OWNER_PASSWORD
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def web(engine, released):
    files = engine.volume("html")
    container = engine.start(
        "web", APP_IMAGE, options=(*LOCKED, "--volume", f"{files}:/usr/share/nginx/html"), **SITE, GUNICORN_PORT="8123"
    )
    engine.wait_until_healthy(container)
    return container


def get(address, path):
    request = urllib.request.Request(f"http://{address}:8123{path}", headers=BEHIND_NGINX)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 -- http
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_says_what_it_is_and_stays_small():
    image = inspect(APP_IMAGE)

    assert image["Size"] <= LARGEST_MB * 1_000_000
    assert image["Config"]["User"] == "1000:1000"
    assert image["Config"]["Entrypoint"] == ["/entrypoint.sh"]
    assert image["Config"]["Healthcheck"]["Test"] == ["CMD", "/entrypoint.sh", "health"]
    labels = image["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "nexchange"
    assert labels["org.opencontainers.image.revision"]


def test_holds_no_test_no_published_variable_and_no_installer(engine):
    found = engine.run(
        APP_IMAGE, "-c", "ls -A /app /opt/venv/bin; command -v gcc git", options=("--entrypoint", "bash")
    ).stdout.split()

    assert "manage.py" in found
    assert not {"ENVIRONMENT", "tests", ".git", "pip", "pip3", "node_modules"} & set(found)
    assert not [name for name in found if name.endswith(("/gcc", "/git"))]


def test_release_says_what_it_did_and_web_serves_behind_a_read_only_root(engine, released, web):
    assert "superuser: root is made" in released

    status, page = get(engine.address(web), "/en/")

    assert status == 200
    assert "<html" in page
    processes = docker("top", web, "-o", "pid,uid,args").stdout.splitlines()[1:]
    assert all(line.split()[1] == "1000" for line in processes), processes


def test_the_database_belongs_to_the_owner_and_the_site_owns_nothing(engine, database, web):
    asked = docker(
        "exec", database, "psql", "--username=chief", "--dbname=trade", "--tuples-only", "--no-align",
        "--command=SELECT DISTINCT usename FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    )  # fmt: skip

    assert asked.stdout.split() == ["chief_app"]


@pytest.mark.parametrize("path", ["/en/no-such-page-7f3a", "/health/"])
def test_each_request_is_in_the_log_within_a_second(engine, web, path):
    before = engine.logs(web).count(f"GET {path} ")

    get(engine.address(web), path)

    wait_for(lambda: engine.logs(web).count(f"GET {path} ") > before, "the request is in the log", within_s=1)


def test_each_error_is_in_the_log_within_a_second(engine, web):
    get(engine.address(web), "/en/no-such-page-51c2")

    said = "WARNING django.request Not Found: /en/no-such-page-51c2"
    wait_for(lambda: said in engine.logs(web), "the error is in the log", within_s=1)


def test_static_files_are_where_nginx_serves_them(web):
    done = docker("exec", web, "ls", "/usr/share/nginx/html/static/css", "/usr/share/nginx/html/media")

    assert ".css" in done.stdout


def test_a_worker_and_a_beat_start_without_a_place_to_write(engine, released):
    worker = engine.start("worker", APP_IMAGE, "worker", "default", options=LOCKED, **SITE, WORKER_LOG_LEVEL="INFO")
    beat = engine.start("beat", APP_IMAGE, "beat", options=LOCKED, **SITE, BEAT_LOG_LEVEL="INFO")

    wait_for(lambda: "Sending due task" in engine.logs(beat), "beat sends")
    wait_for(lambda: "succeeded in" in engine.logs(worker), "the worker has done something")
    for container in (worker, beat):
        docker("stop", "--time", "60", container)
    assert inspect(worker)["State"]["ExitCode"] == 0, engine.logs(worker)[-2000:]
    # Celery's beat ends with 1 when the signal comes while it writes its schedule down, which is only a hint: not killed.
    assert inspect(beat)["State"]["ExitCode"] in {0, 1}, engine.logs(beat)[-2000:]


def test_health_follows_the_database(engine, database, web):
    docker("stop", database)
    assert get(engine.address(web), "/health/")[0] == 503

    docker("start", database)
    engine.wait_until_healthy(database)
    assert get(engine.address(web), "/health/")[0] == 200


def test_a_wrong_password_is_named_and_changes_nothing(engine, released):
    done = engine.run(
        APP_IMAGE, "release", options=LOCKED, **SITE, POSTGIS_ENV_POSTGRES_PASSWORD="wrong", POSTGIS_WAIT_SECONDS="2"
    )

    assert done.returncode == 1
    assert "PostGIS at database:5432 did not let chief into trade within 2 s" in done.stderr
    assert "check chief's password" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_not_there_is_named(engine):
    variables = {**SITE, "DATABASE_CONTAINER": "nowhere"}

    done = engine.run(APP_IMAGE, "web", options=LOCKED, **variables, POSTGIS_WAIT_SECONDS="2")

    assert done.returncode == 1
    assert "PostGIS at nowhere:5432" in done.stderr
    assert "DATABASE_CONTAINER" in done.stderr


@pytest.mark.parametrize("role", [["web"], ["worker", "default"], ["beat"], ["release"]])
def test_no_role_starts_with_a_published_secret(engine, role):
    variables = {**SITE, "APP_DB_PASSWORD": "development-only-app"}

    done = engine.run(APP_IMAGE, *role, options=LOCKED, **variables)

    assert done.returncode == 1
    assert "APP_DB_PASSWORD of this server" in done.stderr
    assert "development-only" not in done.stderr


def test_the_deployment_check_is_clean(engine):
    done = engine.run(APP_IMAGE, "manage", "check", "--deploy", "--fail-level", "WARNING", options=LOCKED, **SITE)

    assert done.returncode == 0, done.stderr


def test_the_agent_without_a_key_says_nothing(engine, web):
    assert "newrelic" not in engine.logs(web).lower()


def test_a_request_under_way_is_answered_before_the_end(engine, released):
    files = ("--volume", f"{engine.volume('leaving')}:/usr/share/nginx/html")
    container = engine.start("leaving", APP_IMAGE, options=(*LOCKED, *files), **SITE, GUNICORN_PORT="8123")
    engine.wait_until_healthy(container)
    with socket.create_connection((engine.address(container), 8123), timeout=30) as connection:
        head = "POST /en/ HTTP/1.1\r\nHost: site.example\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n"
        connection.sendall(
            f"{head}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 4\r\n\r\na=".encode()
        )
        time.sleep(1)
        with subprocess.Popen(["docker", "stop", "--time", "40", container], stdout=subprocess.DEVNULL) as stopping:
            time.sleep(2)
            connection.sendall(b"bc")
            answer = connection.recv(4096)
            assert stopping.wait(timeout=60) == 0

    assert answer.startswith(b"HTTP/1.1 4"), answer  # no token against forgery: refused, and answered
    assert inspect(container)["State"]["ExitCode"] == 0


def spellings(secret):
    """Yield the secret plain and in base64, whatever stands before it in the encoded text."""
    yield secret.encode()
    for shift in range(3):
        yield base64.b64encode(b"\0" * shift + secret.encode())[shift * 2 : -4]


def test_no_secret_of_a_build_reaches_a_layer_or_the_history(tmp_path):
    canaries = {name: f"canary-{name.lower()}-77d1e5" for name in ("SECRET_KEY", "TOKEN_KEY", "APP_DB_PASSWORD")}
    canaries |= {"DOCKER_HUB_PASSWORD": "canary-hub-77d1e5", "PEM_FILE_CONTENT": "canary-pem-77d1e5"}
    static = tmp_path / "static"
    static.mkdir()
    (static / "staticfiles.json").write_text("{}")
    environment = {**os.environ, **canaries, "STATIC_ROOT": str(static), "DOCKER_BUILDKIT": "0"}
    subprocess.run(
        [ROOT / "bin/steps/copy-files", tmp_path / "image"], check=True, env=environment, capture_output=True
    )
    tag = "images-test-canary:latest"
    try:
        build = ["docker", "build", "--quiet", "--tag", tag, "--build-arg", f"BASE_IMAGE={BOX}", tmp_path / "image"]
        subprocess.run(build, check=True, env=environment)
        wanted = [spelling for canary in canaries.values() for spelling in spellings(canary)]
        found, searched = search_image(tag, [*wanted, b"manage.py"])
    finally:
        docker("rmi", "--force", tag, check=False)

    assert searched > 300_000_000
    assert found == {b"manage.py"}  # the search does find what is there


def search_image(tag, wanted):
    """Search everything that `docker save` writes: layers, configuration, history."""
    found, searched, kept = set(), 0, b""
    with subprocess.Popen(["docker", "save", tag], stdout=subprocess.PIPE) as saving:
        while block := saving.stdout.read(4_000_000):
            searched += len(block)
            text = kept + block
            found |= {word for word in wanted if word in text}
            kept = text[-200:]
    return found, searched
