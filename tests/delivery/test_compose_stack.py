"""The whole site started from docker-compose.yml with the real images: bin/images makes them."""

import contextlib
import http.client
import re
import ssl
from pathlib import Path

import pytest

from tests.delivery.compose import REQUIRED
from tests.delivery.compose_stack import Stack
from tests.delivery.nginx_site import Answer, ask, docker

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    stack = Stack(tmp_path_factory.mktemp("stack"), TICKER_MARKET="demo")
    try:
        stack.compose("up", "--detach", "postgis", "broker")
        stack.compose("run", "--rm", "release")
        stack.compose("up", "--detach", "app", "worker", "beat", "nginx")
        stack.wait_healthy("app", "nginx", "postgis", "broker")
        yield stack
    finally:
        stack.remove()


def get(stack: Stack, path: str, *, method: str = "GET", body: str | None = None, **headers: str) -> Answer:
    context = ssl.create_default_context(cafile=str(stack.folder / "etc" / "nginx" / "ssl" / "fullchain.pem"))
    context.check_hostname = False
    connection = http.client.HTTPSConnection(stack.address("nginx", "front"), 443, timeout=20, context=context)
    with contextlib.closing(connection):
        return ask(connection, path, method=method, body=body, **({"Host": "localhost"} | headers))


def test_serves_pages_and_the_static_files_they_name(stack):
    page = get(stack, "/en/")
    style = re.search(r'href="(/static/css/[^"]+)"', page.body.decode())[1]

    assert page.status == 200
    assert page.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
    assert "content-encoding" not in get(stack, "/en/", Accept_Encoding="gzip").headers
    answer = get(stack, style, Accept_Encoding="gzip")
    assert answer.status == 200
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["cache-control"].endswith("immutable")


def test_serves_the_api_whose_own_refusals_arrive_as_they_are(stack):
    pairs = get(stack, "/en/api/v1/pair/")
    refused = get(stack, "/en/api/v1/orders/", method="POST", body="x" * 300_000, Content_Type="application/json")

    assert pairs.status == 200
    assert "LTCETH" in {pair["name"] for pair in pairs.json()}
    assert (refused.status, refused.json()["code"]) == (413, "body_too_large")
    assert get(stack, "/health/").status == 200


def test_a_host_that_is_not_the_sites_is_refused_by_the_app(stack):
    assert get(stack, "/en/", Host="evil.example").status == 400


def test_every_role_runs_as_nobody_special_and_cannot_write_its_own_code(stack):
    for service in ("app", "worker", "beat"):
        container = stack.container(service)
        assert docker("exec", container, "id", "-u") == "1000"
        assert "Read-only file system" in docker("exec", container, "touch", "/app/x", check=False)
    # Journals are their chains' workers' and signers', keys the signers'.
    for path in ("/var/lib/nexchange/journal/x", "/run/keys/x"):
        assert "Read-only" in docker("exec", stack.container("worker"), "touch", path, check=False)


def test_the_owners_password_is_in_no_container_that_serves(stack):
    for service in ("app", "worker", "beat", "nginx", "broker"):
        assert REQUIRED["POSTGIS_ENV_POSTGRES_PASSWORD"] not in str(stack.facts(service)), service


def test_worker_and_beat_become_healthy(stack):
    stack.wait_healthy("worker", "beat", seconds=150)


def test_a_new_tag_replaces_the_app_and_leaves_database_redis_and_nginx_alone(stack):
    before = {service: stack.container(service) for service in ("app", "postgis", "broker", "nginx")}
    tag = f"{stack.name}:next"
    docker("tag", stack.variables["APP_IMAGE"], tag)
    try:
        stack.compose("up", "--detach", "--no-deps", "app", "postgis", "broker", "nginx", APP_IMAGE=tag)
        after = {service: stack.container(service) for service in before}
        stack.wait_healthy("app")
    finally:
        docker("rmi", tag, check=False)

    assert after.pop("app") != before.pop("app")
    assert after == before
    assert get(stack, "/en/").status == 200


def test_data_of_another_major_version_is_refused_with_the_remedy_and_left_alone(tmp_path: Path):
    stack = Stack(tmp_path)
    (tmp_path / "database" / "PG_VERSION").write_text("11\n", encoding="utf-8")
    try:
        said = stack.compose("run", "--rm", "postgis", check=False)
    finally:
        stack.remove()

    assert re.search(r"written by PostgreSQL 11; this image holds PostgreSQL \d+", said)
    assert "pg_dumpall" in said
    assert [path.name for path in (tmp_path / "database").iterdir()] == ["PG_VERSION"]
