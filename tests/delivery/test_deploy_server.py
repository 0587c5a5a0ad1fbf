"""The deploy's half on the server, without an engine: what it writes, what it refuses, and how it goes back."""

import stat
import subprocess

import pytest

from tests.delivery.compose import needs_compose, parse_yaml, read_services
from tests.delivery.fake_server import COMPOSE, EARLIER, WORKERS, FakeServer, image

pytestmark = pytest.mark.slow  # each engine call is a program of its own


@pytest.fixture
def server(tmp_path) -> FakeServer:
    return FakeServer(tmp_path)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory) -> FakeServer:
    """A server after its first deploy, made once; each test changes a copy."""
    server = FakeServer(tmp_path_factory.mktemp("deployed"))
    done = server.deploy("old")
    assert done.returncode == 0, done.stdout + done.stderr
    server.forget_calls()
    return server


@pytest.fixture
def serving(deployed, tmp_path) -> FakeServer:
    return deployed.copy(tmp_path / "copy")


def assert_old_serves(server: FakeServer) -> None:
    containers = server.containers()
    assert {name: containers[name] for name in ("app", *WORKERS)} == {
        name: {"image": image("old"), "status": "running"} for name in ("app", *WORKERS)
    }
    assert "app_next" not in containers
    assert not (server.root / "etc/nginx/release/next").exists()
    assert server.text("state/running") == image("old") + "\n"
    assert f"APP_IMAGE={image('old')}" in server.text("target.env")
    assert not list((server.root / "state").glob("incoming-*"))
    assert not list((server.root / "state").glob("login.*"))


def test_an_empty_server_serves_after_the_first_deploy(server):
    done = server.deploy("old")

    assert done.returncode == 0, done.stdout + done.stderr
    assert_old_serves(server)
    asked = [call for call, _ in server.calls()]
    assert asked.index("docker-compose run --rm -T release") < asked.index("docker-compose up -d --no-deps app")
    assert (server.home / "password").read_text() == "hub $HOME #1"
    assert not any("hub $HOME" in call or "secret $HOME" in call for call in asked)
    assert any(call.startswith("docker logout") for call in asked)


def test_a_release_never_leaves_nobody_to_answer(serving):
    done = serving.deploy("new")

    assert done.returncode == 0, done.stdout + done.stderr
    calls = serving.calls()
    assert {served for _, served in calls} == {"sha256:old", "sha256:new"}
    replacing = calls.index(("docker-compose up -d --no-deps app", "sha256:new"))
    assert ("docker-compose up -d --no-deps --force-recreate app_next", "sha256:old") in calls[:replacing]
    asked = [call for call, _ in calls]
    order = (
        "docker exec worker /entrypoint.sh manage replacing",
        "docker-compose stop signer_litecoin signer_ethereum worker_litecoin worker_ethereum",
        "docker-compose run --rm -T release",
        "docker-compose up -d --no-deps worker ",
        "docker exec worker /entrypoint.sh manage replacing --over",
    )
    places = [next(at for at, call in enumerate(asked) if call.startswith(part)) for part in order]
    assert places == sorted(places)
    assert (serving.home / "backups").read_text().count("backup") == 1
    assert serving.text("state/previous") == image("old") + "\n"
    assert {one["image"] for name, one in serving.containers().items() if name in ("app", *WORKERS)} == {image("new")}
    assert not any("nginx -s reload" in call for call in asked)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("loops", "starts and ends again and again ("),
        ("ill", "does not get healthy"),
        ("silent", "the site does not answer through nginx"),
        ("migration", "this migration fails on purpose"),
        ("workers", "worker does not stay up"),
        ("deaf", "worker does not answer within 3 s"),
        ("errors", "GET /en/ answered 500"),
    ],
)
def test_a_broken_release_never_touches_the_one_that_serves(serving, fault, said):
    serving.faults = {"sha256:new": [fault]}

    done = serving.deploy("new", LOG_LEVEL="DEBUG")

    assert done.returncode != 0
    assert said in done.stderr
    assert f"the deploy of commit new failed (above); {image('old')} serves." in done.stderr
    assert_old_serves(serving)
    assert "LOG_LEVEL" not in serving.text("target.env")
    assert not any(call.endswith(" app") and call.startswith("docker-compose up") for call, _ in serving.calls())
    assert not any("nginx -s reload" in call for call, _ in serving.calls())
    serving.faults = {}
    assert serving.deploy("new").returncode == 0


def test_no_customer_is_sent_to_a_release_that_has_only_errors_to_show(serving):
    serving.faults = {"sha256:new": ["errors"]}

    serving.deploy("new")

    assert {served for _, served in serving.calls()} == {"sha256:old"}


def test_a_worker_that_starts_over_later_ends_the_release(serving):
    serving.faults = {"sha256:new": ["tired"]}

    done = serving.deploy("new")

    assert done.returncode != 0
    assert "does not stay up" in done.stderr
    assert serving.text("state/running") == image("old") + "\n"


def test_a_release_mends_what_is_ill_in_the_one_that_serves(serving):
    serving.faults = {"sha256:old": ["deaf"]}
    serving.change("worker_ethereum", status="restarting", restarts=9)
    assert serving.deploy("new", HEALTH_SECONDS="1").returncode == 0

    serving.faults = {"sha256:new": ["deaf"]}
    serving.change("worker_ethereum", status="exited")
    done = serving.deploy("newer", HEALTH_SECONDS="1")

    assert done.returncode == 0, done.stderr
    assert "the new one may mend that" in done.stdout
    assert serving.text("state/running") == image("newer") + "\n"


def test_a_full_disk_leaves_the_files_that_cannot_be_put_back_whole(serving):
    serving.faults = {"sha256:new": ["migration"]}
    copy = serving.programs / "cp"
    copy.write_text(
        '#!/bin/sh\ncase "$3" in *.new) : >"$3"; echo "No space left on device" >&2; exit 1;; esac\nexec /bin/cp "$@"\n'
    )
    copy.chmod(0o755)

    done = serving.deploy("new", nginx="two", LOG_LEVEL="DEBUG")

    assert "not put back below" in done.stderr
    assert serving.text("etc/nginx/nginx.conf") == "two"
    assert "APP_IMAGE" in serving.text("target.env")
    assert serving.containers()["worker_litecoin"] == {"image": image("old"), "status": "running"}
    copy.unlink()
    serving.faults = {"backup": True}
    serving.deploy("new")
    assert serving.text("etc/nginx/nginx.conf") == "one"
    assert "LOG_LEVEL" not in serving.text("target.env")


def test_a_deploy_that_was_killed_with_new_services_hands_the_old_ones_on(serving):
    serving.faults = {"sha256:new": ["killed"]}
    serving.deploy("new", DEPLOY_SERVICES="yes", NEW_NGINX_IMAGE=image("nginx2"), GUNICORN_PORT="9000")
    serving.faults = {}

    done = serving.deploy("new", NEW_NGINX_IMAGE=image("nginx2"), GUNICORN_PORT="9000")

    assert "GUNICORN_PORT is another than nginx runs with: '8000' before, '9000' now" in done.stderr
    assert serving.deploy("new", NEW_NGINX_IMAGE=image("nginx2")).returncode == 0
    assert f"NGINX_IMAGE={image('nginx')}\n" in serving.text("state/services.env")
    assert f"NGINX_IMAGE={image('nginx')}\n" in serving.text("target.env")


def test_writing_down_what_holds_anyway_changes_nothing(serving):
    assert serving.deploy("new", API_REQUESTS_PER_MINUTE="300", RENEW_SECONDS="43200").returncode == 0


def test_a_live_site_without_a_networks_key_is_refused_before_anything_is_changed(serving):
    """A server of before has both keys in keys.json: its release would serve, take coins in and pay nobody."""
    serving.faults = {"key": "ethereum.json"}

    done = serving.deploy("new")

    assert done.returncode != 0
    assert "keys/ethereum.json is no file that user 1000 can read" in done.stderr
    assert "before anything was changed" in done.stderr
    assert_old_serves(serving)
    assert not any(call.startswith("docker-compose") for call, _ in serving.calls())
    assert serving.deploy("new", SITE_MODE="demo").returncode == 0  # which makes its own


def test_another_password_of_the_site_is_refused_and_not_shown(serving):
    done = serving.deploy("new", APP_DB_PASSWORD="rotated-one")

    assert done.returncode != 0
    assert "APP_DB_PASSWORD is another than the release that serves connects with" in done.stderr
    assert "of the app" not in done.stdout + done.stderr
    assert "rotated-one" not in done.stdout + done.stderr
    assert_old_serves(serving)


def test_the_sites_password_comes_back_with_a_release_that_failed(serving):
    serving.faults = {"sha256:new": ["errors"]}

    serving.deploy("new", APP_DB_PASSWORD="rotated-one", DEPLOY_SERVICES="yes")

    released = [image_ for call, image_ in serving.started() if call == "docker-compose run --rm -T release"]
    assert released == [image("new"), image("old")]
    assert serving.deploy("new", APP_DB_PASSWORD="rotated-one", DEPLOY_SERVICES="yes").returncode == 1
    serving.faults = {}
    assert serving.deploy("new", APP_DB_PASSWORD="rotated-one", DEPLOY_SERVICES="yes").returncode == 0


def test_nothing_is_undone_beside_a_step_that_is_still_under_way(serving):
    serving.faults = {"sha256:new": ["told to stop"]}

    done = serving.deploy("new")

    assert done.returncode == 130
    assert "waiting for the end of what is under way" in done.stdout
    asked = [call for call, _ in serving.calls()]
    assert asked.index("the migration has ended") < asked.index(
        "docker-compose up -d --no-deps worker beat signer_litecoin signer_ethereum worker_litecoin worker_ethereum"
    )
    assert_old_serves(serving)


def test_the_configuration_of_nginx_comes_back_too(serving):
    serving.faults = {"sha256:new": ["migration"]}

    serving.deploy("new", nginx="two")

    assert serving.text("etc/nginx/nginx.conf") == "one"
    assert sum("nginx -s reload" in call for call, _ in serving.calls()) == 2


@pytest.mark.parametrize(
    ("faults", "variables", "said"),
    [
        ({"engine": True}, {}, "the Docker engine does not answer"),
        ({"password": True}, {}, "does not take DOCKER_HUB_USER and DOCKER_HUB_PASSWORD"),
        ({"pull": "manifest unknown"}, {}, "the image is not in the registry"),
        ({"pull": "write /x: no space left on device"}, {}, "the server's disk is full"),
        ({"nginx": True}, {}, "nginx.conf test failed"),
        ({}, {"DEPLOY_NEEDED_MB": "999999999"}, "a deploy needs 999999999"),
        ({}, {"GUNICORN_PORT": "8001"}, "GUNICORN_PORT is another than nginx runs with"),
        ({}, {"PROXY_NETWORKS": "10.0.0.0/8"}, "PROXY_NETWORKS is another than nginx runs with"),
        ({}, {"PORTS_PARAM": "-p 81:80"}, "PORTS_PARAM is another than nginx runs with"),
    ],
)
def test_what_is_wrong_before_the_release_changes_nothing(serving, faults, variables, said):
    serving.faults = faults
    before = serving.containers()

    done = serving.deploy("new", **variables)

    assert done.returncode != 0
    assert said in done.stderr
    assert serving.containers() == before
    assert serving.text("state/running") == image("old") + "\n"
    assert f"APP_IMAGE={image('old')}" in serving.text("target.env")
    serving.faults = {}
    assert serving.deploy("new").returncode == 0


def test_a_port_that_is_taken_is_named_on_the_first_deploy(server):
    server.faults = {"port": True}

    done = server.deploy("old")

    assert done.returncode != 0
    assert "a port of PORTS_PARAM is taken" in done.stderr
    server.faults = {}
    assert server.deploy("old").returncode == 0
    assert_old_serves(server)


def test_a_deploy_that_was_killed_is_mended_by_the_next(serving):
    serving.faults = {"sha256:new": ["killed"]}
    assert serving.deploy("new").returncode == -9
    (serving.root / "state" / "login.left").mkdir()
    serving.forget_leftovers()
    serving.faults = {"sha256:worse": ["migration"]}

    done = serving.deploy("worse")

    assert done.returncode != 0
    assert_old_serves(serving)


def test_prices_are_asked_for_throughout_a_release(serving):
    """Orders are refused once the last price is a minute old, and a migration may take longer than that."""
    serving.deploy("new")

    stopped = [call for call, _ in serving.calls() if call.startswith("docker-compose stop")]
    assert stopped == ["docker-compose stop signer_litecoin signer_ethereum worker_litecoin worker_ethereum"]


def test_a_release_that_was_killed_after_its_last_switch_leaves_no_two_versions(serving):
    """The new app answers, nothing is recorded yet: the next deploy may fail, and then all of the old release must serve."""
    serving.faults = {"sha256:new": ["killed late"]}
    assert serving.deploy("new").returncode == -9
    assert serving.containers()["app"]["image"] == image("new")
    serving.forget_leftovers()
    serving.faults = {"sha256:worse": ["migration"]}

    done = serving.deploy("worse")

    assert done.returncode != 0
    assert_old_serves(serving)


def test_a_container_that_started_again_long_ago_does_not_spoil_a_release(serving):
    serving.faults = {"restarts": {"beat": 1, "app": 3}}

    done = serving.deploy("old")

    assert done.returncode == 0, done.stderr


def test_what_serves_is_not_claimed_when_nobody_answers(serving):
    serving.faults = {"sha256:new": ["migration"], "sha256:old": ["silent"]}

    done = serving.deploy("new")

    assert done.returncode != 0
    assert f"{image('old')} does not answer through nginx" in done.stderr
    assert "serves." not in done.stderr


def test_services_that_were_replaced_come_back_with_the_release(serving):
    serving.faults = {"sha256:new": ["migration"]}

    serving.deploy("new", DEPLOY_SERVICES="yes", NEW_NGINX_IMAGE=image("nginx2"))

    assert f"NGINX_IMAGE={image('nginx')}" in serving.text("state/services.env")
    back = [call for call, _ in serving.calls() if call == "docker-compose up -d --no-deps nginx broker postgis"]
    assert len(back) == 2, "once with the new images, once with the old ones"


def test_payouts_go_on_after_a_deploy_that_was_killed(serving):
    serving.faults = {"sha256:new": ["killed"]}
    assert serving.deploy("new").returncode == -9
    assert serving.containers()["worker_litecoin"]["status"] == "exited"
    serving.faults = {"backup": True}

    done = serving.deploy("new")

    assert "before anything was changed" in done.stderr
    assert {name: serving.containers()[name] for name in WORKERS} == {
        name: {"image": image("old"), "status": "running"} for name in WORKERS
    }


def test_the_same_release_twice_is_no_mistake(serving):
    done = serving.deploy("old")

    assert done.returncode == 0, done.stderr
    assert_old_serves(serving)


def test_a_second_deploy_waits_and_gives_up_by_name(serving):
    lock = serving.root / "state" / "deploy.lock"
    with subprocess.Popen(["flock", lock, "cat"], stdin=subprocess.PIPE) as holding:
        while subprocess.run(["flock", "--nonblock", lock, "true"], check=False).returncode == 0:
            pass
        done = serving.deploy("new", DEPLOY_WAIT_SECONDS="1")
        assert holding.stdin is not None
        holding.stdin.close()

    assert done.returncode != 0
    assert "waiting for its end" in done.stdout
    assert "the other deploy or restore has not ended within 1 s" in done.stderr
    assert_old_serves_but_for_stage(serving)


def assert_old_serves_but_for_stage(server: FakeServer) -> None:
    assert server.containers()["app"] == {"image": image("old"), "status": "running"}


def test_the_variables_stay_what_they_are_and_are_for_one_user_only(serving):
    path = serving.root / "target.env"

    read = subprocess.run(
        ["bash", "-c", 'source "$1"; printf %s "$SECRET_KEY"', "-", path], capture_output=True, text=True, check=True
    )

    assert read.stdout == "secret $HOME #1 'x' \"y\""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((serving.root / "etc/nginx/nginx.conf").stat().st_mode) == 0o644


def test_volumes_ports_and_the_database_become_an_override(server):
    server.deploy(
        "old",
        VOLUMES_PARAM="-v /srv/$odd#1:/app/odd -v named:/b:ro",
        PORTS_PARAM="-p 127.0.0.1:8080:80 -p 8443:443",
        DATABASE_CONTAINER="db.example",
    )

    services = parse_yaml(server.text("docker-compose.override.yml"))["services"]
    assert services["nginx"]["ports"] == ["127.0.0.1:8080:80", "8443:443"]
    assert services["app"]["volumes"] == services["app_next"]["volumes"] == ["/srv/$$odd#1:/app/odd", "named:/b:ro"]
    assert services["postgis"] == {"profiles": ["elsewhere"]}
    assert "postgis" not in server.containers()
    assert "DATABASE_CONTAINER=db.example" in server.text("target.env")


@needs_compose
def test_docker_compose_itself_takes_the_override(server):
    server.deploy("old", VOLUMES_PARAM="-v /srv/$odd#1:/app/odd -v named:/b:ro -v named:/c", PORTS_PARAM="-p 8443:443")

    services = read_services(server.root / "docker-compose.override.yml")

    for name in ("app", "app_next"):
        assert {"/srv/$odd#1:/app/odd:rw", "named:/b:ro", "named:/c:rw"} <= set(services[name]["volumes"])


def test_nginx_is_tried_with_the_values_that_it_will_have(serving):
    serving.deploy("new", API_REQUESTS_PER_MINUTE="77", GUNICORN_PORT="8000", DEPLOY_SERVICES="yes")

    tried = next(call for call, _ in serving.calls() if call.endswith("nginx -t"))
    assert "--env GUNICORN_PORT=8000 --env API_REQUESTS_PER_MINUTE=77" in tried


def test_the_profile_demo_brings_chains_and_a_miner_and_without_it_there_are_none(server, serving):
    done = server.deploy("old", COMPOSE_PROFILES="other,demo", NEW_CHAINS_IMAGE=image("chains"))

    assert done.returncode == 0, done.stderr
    started = {name for name, one in server.containers().items() if one["status"] == "running"}
    assert {"litecoin", "ethereum", "miner"} <= started
    assert any(call == "docker-compose run --rm -T keys" for call, _ in server.calls())
    assert not {"litecoin", "ethereum", "miner"} & set(serving.containers())


@pytest.fixture(scope="module")
def deployed_earlier(tmp_path_factory) -> FakeServer:
    """A server whose release has no signers, and no users in Redis."""
    server = FakeServer(tmp_path_factory.mktemp("earlier"))
    server.compose = EARLIER
    done = server.deploy("old")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "redis" in server.containers()
    server.forget_calls()
    return server


@pytest.fixture
def earlier(deployed_earlier, tmp_path) -> FakeServer:
    server = deployed_earlier.copy(tmp_path / "copy")
    server.compose = COMPOSE
    return server


def test_a_server_without_signers_gets_them_and_keeps_their_journals(earlier):
    """The Redis that it has serves the old release until the new one has taken over, with a Redis of its own."""
    done = earlier.deploy("new", REDIS_USERS="user default off")

    assert done.returncode == 0, done.stdout + done.stderr
    asked = [call for call, _ in earlier.calls()]
    order = (
        "docker-compose up -d --no-deps --no-recreate nginx broker postgis",
        "docker-compose stop ",
        " carry forth",
        "docker-compose run --rm -T release",
        "docker-compose up -d --no-deps worker beat signer_litecoin signer_ethereum worker_litecoin worker_ethereum",
        "docker rm --force redis",
    )
    places = [next(at for at, call in enumerate(asked) if part in call) for part in order]
    assert places == sorted(places)
    assert "redis" not in earlier.containers()
    assert {"broker", *WORKERS} <= earlier.containers().keys()


@pytest.mark.parametrize("fault", ["workers", "errors", "silent"])
def test_a_server_that_goes_back_to_a_release_without_signers_is_as_it_was(earlier, fault):
    earlier.faults = {"sha256:new": [fault]}

    done = earlier.deploy("new", REDIS_USERS="user default off")

    assert done.returncode != 0
    assert f"{image('old')} serves." in done.stderr, done.stdout + done.stderr
    assert earlier.text("docker-compose.yml") == EARLIER
    assert earlier.containers()["redis"]["status"] == "running"
    started = [call for call, used in earlier.started() if used == image("old")]
    # The role that its chains' workers sign as is made again, and what the signers have signed meanwhile counts.
    order = ("docker-compose run --rm -T release", "docker-compose up -d --no-deps worker beat worker_litecoin")
    places = [next(at for at, call in enumerate(started) if call.startswith(part)) for part in order]
    assert places == sorted(places)
    assert any(call.endswith(" carry back") for call, _ in earlier.calls())
    earlier.faults = {}
    assert earlier.deploy("new", REDIS_USERS="user default off").returncode == 0


def test_other_users_of_redis_are_refused_unless_it_may_start_anew(serving):
    assert serving.deploy("old", REDIS_USERS="one").returncode == 0
    serving.forget_calls()

    refused = serving.deploy("new", REDIS_USERS="two")

    assert refused.returncode != 0
    assert "Redis is to have other users (REDIS_USERS)" in refused.stderr
    assert serving.containers()["app"]["image"] == image("old")
    assert serving.deploy("new", REDIS_USERS="two", DEPLOY_SERVICES="yes").returncode == 0
