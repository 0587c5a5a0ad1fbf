"""What docker-compose.yml promises, read through docker-compose; nothing is started here."""

import re
from typing import Any

import pytest

from tests.delivery.compose import REQUIRED, ROOT, needs_compose, parse_yaml, read_services, run_config

APP_ROLES = {"app", "app_next", "worker", "worker_litecoin", "worker_ethereum", "beat", "release", "miner", "keys"}
WORKERS = {"worker", "worker_litecoin", "worker_ethereum"}
OTHERS = {"nginx", "postgis", "redis", "litecoin", "ethereum"}

pytestmark = needs_compose


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return read_services()


def test_has_exactly_the_services_that_the_scripts_name(services):
    assert set(services) == APP_ROLES | OTHERS


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_refuses_to_start_without_a_required_variable_and_names_it(name):
    result = run_config({key: value for key, value in REQUIRED.items() if key != name})

    assert result.returncode != 0
    assert re.search(rf": {name} is not set: \w+", result.stderr)


def test_refuses_a_required_variable_that_is_empty():
    result = run_config(REQUIRED | {"SECRET_KEY": ""})

    assert result.returncode != 0
    assert "SECRET_KEY is not set" in result.stderr


def test_hands_values_on_unchanged_whatever_characters_they_hold(services):
    assert services["app"]["environment"]["SECRET_KEY"] == REQUIRED["SECRET_KEY"]


def test_an_option_that_is_not_set_keeps_the_default_of_the_settings(services):
    assert services["app"]["environment"]["MIN_PEERS"] is None
    assert read_services(MIN_PEERS="7")["app"]["environment"]["MIN_PEERS"] == "7"


def test_publishes_no_port_of_its_own(services):
    assert not [name for name, service in services.items() if service.get("ports")]


def test_another_tag_or_setting_of_the_app_leaves_database_redis_and_nginx_as_they_are(services):
    changed = read_services(
        APP_IMAGE="another/image:tag",
        SECRET_KEY="another",
        APP_DB_PASSWORD="another",
        ALLOWED_HOSTS="b",
        LOG_LEVEL="DEBUG",
    )

    assert changed["app"] != services["app"]
    for name in ("nginx", "postgis", "redis"):
        assert changed[name] == services[name]


def test_the_owners_password_reaches_only_the_database_and_the_role_that_changes_the_schema(services):
    holders = {
        name
        for name, service in services.items()
        if REQUIRED["POSTGIS_ENV_POSTGRES_PASSWORD"] in (service.get("environment") or {}).values()
    }

    assert holders == {"release", "postgis"}


def test_private_keys_and_the_journal_are_mounted_only_where_payouts_are_signed(services):
    def mounts(service: dict[str, Any]) -> str:
        return " ".join(service.get("volumes") or ())

    paying = {"worker_litecoin", "worker_ethereum"}
    assert {name for name, service in services.items() if "/run/keys" in mounts(service)} == paying | {"keys"}
    assert {name for name, service in services.items() if "/journal" in mounts(service)} == WORKERS
    assert {name for name, service in services.items() if "KEY_FILE" in (service.get("environment") or {})} == paying
    for name in paying:
        assert "/nexchange/keys:/run/keys:ro" in services[name]["volumes"]
        assert services[name]["environment"]["KEY_FILE"] == f"/run/keys/{name.removeprefix('worker_')}.json"


def test_the_roles_of_the_app_run_without_rights_on_a_root_that_cannot_be_written(services):
    for name in APP_ROLES:
        service = services[name]
        assert service["user"] == "1000:1000"
        assert service["read_only"] is True
        assert any(mount.startswith("/tmp") for mount in service["tmpfs"])  # noqa: S108 -- the container's
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_everything_is_limited_and_its_log_too(services):
    for name, service in services.items():
        assert service["mem_limit"], name
        assert service["cpus"], name
        assert service["pids_limit"], name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name


def test_everything_that_serves_comes_back_after_a_crash_also_of_the_engine(services):
    once = {name for name, service in services.items() if service["restart"] == "no"}

    assert once == {"release", "keys"}
    # An engine that was killed stops what it finds running when it is back, and `unless-stopped` then keeps it stopped.
    assert {service["restart"] for name, service in services.items() if name not in once} == {"always"}


def test_workers_and_beat_replace_the_health_check_of_the_image(services):
    for name in WORKERS:
        queue = services[name]["command"][1]
        # The union of roles, as which a network's worker signs, still answers Celery's ping.
        wanted = "manage healthy default" if queue == "default" else f'"{queue}@$HOSTNAME"'
        assert wanted in services[name]["healthcheck"]["test"]
    assert "/tmp" in services["beat"]["healthcheck"]["test"]  # noqa: S108 -- the container's
    assert "healthcheck" not in services["app"]


def test_nginx_reaches_the_app_and_nothing_behind_it(services):
    def networks(name: str) -> set[str]:
        return set(services[name]["networks"])

    assert networks("nginx") == {"front"}
    assert networks("postgis") == networks("redis") == {"back"}
    assert networks("app") == networks("app_next") == {"front", "back"}


def test_nothing_waits_for_a_database_that_may_be_elsewhere(services):
    assert not [name for name, service in services.items() if service.get("depends_on")]
    assert read_services(DATABASE_CONTAINER="db.example")["app"]["environment"]["DATABASE_CONTAINER"] == "db.example"


def test_a_file_laid_over_it_decides_on_ports_further_volumes_and_the_local_database(tmp_path):
    override = tmp_path / "override.yml"
    override.write_text(
        "services:\n"
        '  nginx: {ports: ["8080:80", "8443:443"]}\n'
        '  app: {volumes: ["/srv/more:/more:ro"]}\n'
        "  postgis: {profiles: [local-database]}\n",
        encoding="utf-8",
    )

    laid_over = read_services(override)

    assert laid_over["nginx"]["ports"] == [{"published": 8080, "target": 80}, {"published": 8443, "target": 443}]
    assert set(laid_over["app"]["volumes"]) == {"/nexchange/html:/usr/share/nginx/html:rw", "/srv/more:/more:ro"}
    assert laid_over["postgis"]["profiles"] == ["local-database"]  # `up` leaves it out
    assert {name for name in laid_over if "depends_on" in laid_over[name]} == set()


def test_folders_of_the_server_are_where_the_description_says(services):
    assert "/nexchange/database:/var/lib/postgresql/data:rw" in services["postgis"]["volumes"]
    assert "/nexchange/etc/nginx:/etc/nginx:ro" in services["nginx"]["volumes"]
    assert "/nexchange/letsencypt:/etc/letsencrypt:rw" in services["nginx"]["volumes"]
    assert "/nexchange/html:/usr/share/nginx/html:ro" in services["nginx"]["volumes"]
    assert "/nexchange/html:/usr/share/nginx/html:rw" in services["app"]["volumes"]


def test_every_setting_that_may_be_chosen_on_a_server_is_handed_on(services):
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "nexchange").glob("settings*.py")]
    read = set(re.findall(r'env\.[a-z_]+\(\s*"([A-Z_0-9]+)"', "".join(texts)))
    elsewhere = {
        "DEBUG",  # settings_dev alone
        "DATABASE_URL",  # the POSTGIS_* variables say it all
        "POSTGIS_PORT_5432_TCP_ADDR",  # the entrypoint's, from DATABASE_CONTAINER
        "STATIC_ROOT",  # inside the image
        "DB_ROLE",  # the entrypoint's
        "DB_PASSWORD",  # derived from APP_DB_PASSWORD
        "SIGNER_SOCKET",  # no signer apart yet: a network's worker signs
        "SIGNER_JOURNAL_DIR",  # workers
        "KEY_FILE",  # a network's worker
        *(name for name in read if "_CEILING_" in name),  # likewise
        "POSTGIS_ENV_POSTGRES_PASSWORD",  # release
    }
    known = set(services["app"]["environment"])

    assert len(read) > 20
    assert read - known - elsewhere == set()


NUMBERS = {"GUNICORN_PORT": "8123", "POSTGIS_PORT_5432_TCP_PORT": "6543", "API_REQUESTS_PER_MINUTE": "77"}
PLACES = {"APP_IMAGE", "NGINX_IMAGE", "POSTGIS_IMAGE", "REDIS_IMAGE", "CHAINS_IMAGE", "NEXCHANGE_ROOT"}
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
CHOSEN = sorted(
    {
        name
        for match in re.findall(r"(?<!\$)\$\{([A-Z][A-Z0-9_]+)|^ +([A-Z][A-Z0-9_]+):$", TEXT, re.MULTILINE)
        for name in match
    }
    - {""}
    - PLACES
)


@pytest.fixture(scope="module")
def unusual() -> dict[str, dict[str, Any]]:
    return read_services(**{name: NUMBERS.get(name, f"unusual $ '{name}'") for name in CHOSEN})


def test_the_variables_are_those_that_somebody_chooses():
    assert len(CHOSEN) > 30
    assert {"CSRF_TRUSTED_ORIGINS", "LITECOIN_RPC_URL", "ETHEREUM_ACCOUNT_KEY", "RENEW_SECONDS"} <= set(CHOSEN)


@pytest.mark.parametrize("name", CHOSEN)
def test_an_unusual_value_reaches_whoever_reads_it(unusual, name):
    value = NUMBERS.get(name, f"unusual $ '{name}'")
    readers = {service for service in unusual if value in (unusual[service].get("environment") or {}).values()}

    of_release = {"POSTGIS_ENV_POSTGRES_PASSWORD", *(part for part in CHOSEN if part.startswith("DJANGO_SUPERUSER"))}
    of_web = {"GUNICORN_PORT", "GUNICORN_WORKERS", "GUNICORN_THREADS", "STATIC_KEEP_HOURS", "QUOTE_KEY"}
    if "_CEILING_" in name:
        assert readers == {f"worker_{name.partition('_')[0].lower()}"}
    elif name in ("RENEW_SECONDS", "PROXY_NETWORKS"):
        assert readers == {"nginx"}
    elif name in of_release:
        assert readers - {"postgis"} == {"release"}
    elif name in of_web:
        assert readers - {"nginx"} == {"app", "app_next"}
    else:
        assert readers >= APP_ROLES - {"keys"}


def test_names_no_version_of_the_format_which_version_two_would_warn_about():
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")

    assert "version" not in parse_yaml(text)
