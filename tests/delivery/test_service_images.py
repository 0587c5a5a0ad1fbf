"""The images beside the product's own: database, Redis and the demo's chains."""

import json
import subprocess

import pytest

from tests.delivery.engine import APP_IMAGE, Engine, docker, inspect, wait_for
from tests.sources import ROOT

pytestmark = pytest.mark.docker

POSTGIS, REDIS, CHAINS = "mdillon/postgis:latest", "redis:latest", "nexchange/chains:latest"
PASSWORD = "p$a#s's\" word"
OWNER = {"POSTGRES_USER": "chief", "POSTGRES_PASSWORD": PASSWORD, "POSTGRES_DB": "trade"}
DATA = "/var/lib/postgresql/data"


@pytest.fixture(scope="module")
def engine():
    engine = Engine()
    yield engine
    engine.close()


def ask(engine, host, statement, password=PASSWORD, database="trade"):
    """Ask over the network, as the site does."""
    return engine.run(
        POSTGIS, "psql", f"--host={host}", "--username=chief", f"--dbname={database}", "--tuples-only", "--no-align",
        f"--command={statement}", PGPASSWORD=password,
    )  # fmt: skip


def test_the_database_has_postgis_for_its_owner_and_keeps_its_rows(engine):
    volume = engine.volume("kept")
    container = engine.start("kept", POSTGIS, options=("--volume", f"{volume}:{DATA}"), **OWNER)
    engine.wait_until_healthy(container)
    made = ask(engine, "kept", "CREATE TABLE kept AS SELECT ST_AsText(ST_Point(1, 2)) AS point")
    assert made.returncode == 0, made.stderr

    docker("stop", container)
    assert "database system is shut down" in engine.logs(container)
    docker("start", container)
    engine.wait_until_healthy(container)

    assert ask(engine, "kept", "SELECT point FROM kept").stdout.strip() == "POINT(1 2)"
    assert ask(engine, "kept", "SHOW jit").stdout.strip() == "off"


def test_the_database_wants_the_password_of_everybody_on_the_network(engine):
    container = engine.start("asking", POSTGIS, **OWNER)
    engine.wait_until_healthy(container)

    refused = ask(engine, "asking", "SELECT 1", password="wrong")

    assert refused.returncode != 0
    assert "password authentication failed" in refused.stderr
    assert PASSWORD not in engine.logs(container)
    assert ask(engine, "asking", "SELECT count(*) FROM pg_extension WHERE extname = 'postgis'", database="template_postgis")\
        .stdout.strip() == "1"  # fmt: skip


def test_a_new_database_wants_a_password_to_be_set(engine):
    done = engine.run(POSTGIS, POSTGRES_USER="chief")

    assert done.returncode == 1
    assert "POSTGRES_PASSWORD" in done.stderr


def test_the_password_may_come_from_a_file(engine):
    container = engine.start(
        "filed", POSTGIS, options=("--volume", "/etc/hostname:/run/password:ro"), POSTGRES_USER="chief",
        POSTGRES_DB="trade", POSTGRES_PASSWORD_FILE="/run/password",
    )  # fmt: skip
    engine.wait_until_healthy(container)
    password = docker("exec", container, "cat", "/run/password").stdout.strip()

    assert ask(engine, "filed", "SELECT 1", password=password).stdout.strip() == "1"


def test_data_of_another_postgresql_is_refused_untouched_with_the_remedy(engine):
    volume = engine.volume("older")
    mounted = ("--volume", f"{volume}:{DATA}")
    engine.run(POSTGIS, "sh", "-c", f"echo 13 >{DATA}/PG_VERSION; touch {DATA}/rows", options=mounted)

    done = engine.run(POSTGIS, options=mounted, **OWNER)

    assert done.returncode == 1
    assert "written by PostgreSQL 13; this image holds PostgreSQL 15" in done.stderr
    assert "pg_dumpall" in done.stderr
    left = engine.run(POSTGIS, "ls", "-A", DATA, options=mounted).stdout.split()
    assert sorted(left) == ["PG_VERSION", "rows"]


def test_a_folder_with_something_else_in_it_is_refused(engine):
    mounted = ("--volume", f"{engine.volume('other')}:{DATA}")
    engine.run(POSTGIS, "touch", f"{DATA}/photos", options=mounted)

    done = engine.run(POSTGIS, options=mounted, **OWNER)

    assert done.returncode == 1
    assert "neither empty nor a PostgreSQL cluster" in done.stderr


def test_a_first_start_that_was_killed_is_done_again(engine):
    mounted = ("--volume", f"{engine.volume('killed')}:{DATA}")
    first = engine.start("killed", POSTGIS, options=mounted, **OWNER)
    wait_for(lambda: "making the database" in engine.logs(first), "the first start has begun")
    docker("kill", first)

    second = engine.start("again", POSTGIS, options=mounted, **OWNER)
    engine.wait_until_healthy(second)

    assert ask(engine, "again", "SELECT postgis_lib_version() IS NOT NULL").stdout.strip() == "t"


def test_redis_answers_its_neighbours_and_saves_nothing(engine):
    container = engine.start("broker", REDIS, options=("--read-only", "--cap-drop", "ALL"))
    engine.wait_until_healthy(container)

    assert engine.run(REDIS, "redis-cli", "-h", "broker", "ping").stdout.strip() == "PONG"
    assert engine.run(REDIS, "redis-cli", "-h", "broker", "config", "get", "save").stdout.split() == ["save"]
    assert inspect(REDIS)["Config"]["User"] == "redis"


CALLS = {
    "litecoin": ("http://demo:demo@litecoin:19443/", "getnetworkinfo", "subversion"),
    "ethereum": ("http://ethereum:18545/", "eth_chainId", "0x7a69"),
}
ASK = """
import sys, json
from urllib.parse import urlsplit
import requests
url, method = sys.argv[1:]
print(requests.post(url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": []}, timeout=10).text)
"""


@pytest.mark.parametrize("chain", CALLS)
def test_the_demos_chains_answer_other_containers_and_survive_a_restart(engine, chain):
    volume = engine.volume(chain)
    locked = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")  # noqa: S108
    container = engine.start(chain, CHAINS, chain, options=(*locked, "--volume", f"{volume}:/var/lib/nodes"))
    engine.wait_until_healthy(container)
    url, method, expected = CALLS[chain]
    asking = ("-c", ASK, url, method)

    answer = engine.run(APP_IMAGE, *asking, options=("--entrypoint", "python")).stdout
    assert expected in answer
    assert json.loads(answer).get("error") is None

    docker("restart", container)
    engine.wait_until_healthy(container)
    assert expected in engine.run(APP_IMAGE, *asking, options=("--entrypoint", "python")).stdout


def test_a_chain_that_is_none_is_refused(engine):
    done = engine.run(CHAINS, "dogecoin")

    assert done.returncode == 2
    assert "litecoin or ethereum" in done.stderr


BOX = "pitervergara/geodjango:nexchange"
PROGRAMS = (
    "python pip pytest ruff newrelic-admin gunicorn celery git gcc pg_config msgfmt node npm chromium redis-server"
    " /usr/lib/litecoin/litecoind /opt/node/node_modules/.bin/karma ssh scp docker docker-compose psql shellcheck curl"
)


def test_the_box_has_every_program_that_a_pipeline_calls(engine):
    done = engine.run(
        BOX, "bash", "-c", f"for name in {PROGRAMS}; do command -v $name >/dev/null || echo no $name; done"
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_the_box_is_debians_python_with_geodjango_and_our_pins(engine):
    code = (
        "import sys; from django.contrib.gis.gdal import gdal_full_version;"
        " print(sys.version_info[:2], sys.base_prefix, gdal_full_version().decode())"
    )
    pins = "cat /opt/venv/.pins /opt/node/node_modules/.pins"

    said = engine.run(BOX, "bash", "-c", f'DJANGO_SETTINGS_MODULE= python -c "{code}" && {pins}').stdout.splitlines()

    assert said[0].startswith("(3, 11) /usr GDAL 3.")
    hash_of = (
        "source bin/lib/steps.sh; hash_of requirements.txt requirements-dev.txt; hash_of package.json package-lock.json"
    )
    ours = subprocess.run(["bash", "-c", hash_of], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said[1:] == ours.stdout.split()
