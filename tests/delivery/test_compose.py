"""What docker-compose.yml promises, read through docker-compose; nothing is started here."""

import re
from typing import Any

import pytest

from tests.delivery.compose import DERIVED, REQUIRED, ROOT, needs_compose, parse_yaml, read_services, run_config

WORKERS = {"worker", "worker_litecoin", "worker_ethereum"}
SIGNERS = {"signer_litecoin", "signer_ethereum"}
ONCE = {"release", "operator", "keys"}
APP_ROLES = {"app", "app_next", "beat", "miner"} | WORKERS | SIGNERS | ONCE
OTHERS = {"nginx", "postgis", "broker", "litecoin", "ethereum"}
KINDS = {"app": "web", "app_next": "web", "miner": "operator"}  # the others are called after their kind

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
    for name in ("nginx", "postgis", "broker"):
        assert changed[name] == services[name]


def test_the_owners_password_reaches_only_the_database_and_the_role_that_changes_the_schema(services):
    holders = {
        name
        for name, service in services.items()
        if REQUIRED["POSTGIS_ENV_POSTGRES_PASSWORD"] in (service.get("environment") or {}).values()
    }

    assert holders == {"release", "postgis"}


def environment(service: dict[str, Any]) -> dict[str, Any]:
    return service.get("environment") or {}


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Return what is mounted where, with its mode."""
    return {where: f"{what}:{mode}" for what, where, mode in (text.split(":") for text in service.get("volumes") or ())}


def test_what_all_passwords_are_derived_from_reaches_only_the_role_that_makes_the_others(services):
    holders = {name for name, one in services.items() if REQUIRED["APP_DB_PASSWORD"] in environment(one).values()}

    assert holders == {"release"}


@pytest.mark.parametrize("name", sorted(APP_ROLES - {"release", "keys"}))
def test_each_process_is_given_the_passwords_of_its_own_kind_and_no_other(services, name):
    kind = KINDS.get(name, name)
    given = " ".join(str(value) for value in environment(services[name]).values())

    held = {variable for variable, password in DERIVED.items() if password in given}
    own = {f"DB_PASSWORD_{kind.upper()}", f"REDIS_PASSWORD_{kind.upper()}"}
    assert held == own & DERIVED.keys()
    assert environment(services[name])["DB_ROLE"] == kind
    assert environment(services[name])["DB_PASSWORD"] == DERIVED[f"DB_PASSWORD_{kind.upper()}"]


@pytest.mark.parametrize(
    ("part", "readers"),
    [
        ("SECRET_KEY", {"app", "app_next"}),
        ("TOKEN_KEY", {"app", "app_next"}),
        ("QUOTE_KEY", {"app", "app_next"}),
        ("NEW_RELIC_LICENSE_KEY", {"app", "app_next"}),
        ("LITECOIN_RPC_URL", {"worker_litecoin", "operator", "miner"}),
        ("ETHEREUM_RPC_URL", {"worker_ethereum", "operator", "miner"}),
        ("DEMO_LITECOIN_RPC_URL", {"app", "app_next"}),
        ("LITECOIN_CEILING_DAY", {"signer_litecoin"}),
        ("ETHEREUM_CEILING_HOUR", {"signer_ethereum"}),
        ("LITECOIN_ACCOUNT_KEY", {"app", "app_next", "miner", "operator"} | WORKERS | SIGNERS),
        ("DJANGO_SUPERUSER_PASSWORD", {"release"}),
    ],
)
def test_a_value_reaches_only_whoever_needs_it(part, readers):
    services = read_services(**{part: "looked for, of thirty-two characters"})

    assert {
        name for name, one in services.items() if "looked for, of thirty-two characters" in environment(one).values()
    } == readers


def test_a_networks_key_and_journal_are_mounted_in_its_signer_alone(services):
    for chain in ("litecoin", "ethereum"):
        signer = services[f"signer_{chain}"]
        assert mounts(signer) == {
            f"/run/keys/{chain}.json": f"/nexchange/keys/{chain}.json:ro",
            "/var/lib/nexchange/signer": f"/nexchange/signers/{chain}:rw",
            "/run/signer": f"signer_{chain}:rw",
        }
        assert environment(signer)["KEY_FILE"] == f"/run/keys/{chain}.json"
        assert mounts(services[f"worker_{chain}"]) == {
            "/var/lib/nexchange/journal": "/nexchange/journal:rw",
            "/run/signer": f"signer_{chain}:ro",
        }
    others = {name: str(services[name].get("volumes")) for name in services if name not in SIGNERS}
    assert {name for name, volumes in others.items() if "/keys" in volumes} == {"keys"}
    assert {name for name, volumes in others.items() if "/signers" in volumes} == set()
    assert {name for name, one in services.items() if "KEY_FILE" in environment(one)} == SIGNERS
    paying = {"worker_litecoin", "worker_ethereum", "operator"}
    assert {name for name, volumes in others.items() if "/journal" in volumes} == paying
    assert {name for name, volumes in others.items() if "/run/signer" in volumes} == paying - {"operator"}


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

    assert once == ONCE
    # An engine that was killed stops what it finds running when it is back, and `unless-stopped` then keeps it stopped.
    assert {service["restart"] for name, service in services.items() if name not in once} == {"always"}


def test_whoever_serves_no_pages_replaces_the_health_check_of_the_image(services):
    works = {name: f"orders:{name.partition('_')[2]}" for name in WORKERS} | {"worker": "default"}
    works |= {name: name.replace("_", ":") for name in SIGNERS}
    for name, work in works.items():
        assert services[name]["healthcheck"]["test"] == f"/entrypoint.sh manage healthy {work} --within 60"
    assert "/tmp" in services["beat"]["healthcheck"]["test"]  # noqa: S108 -- the container's
    assert "healthcheck" not in services["app"]


def test_nobody_asks_a_worker_over_redis():
    assert "inspect" not in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def test_each_container_reaches_what_its_work_needs(services):
    reach = {
        "nginx": {"front"},
        "app": {"front", "back", "queue", "chains"},
        "app_next": {"front", "back", "queue", "chains"},
        "worker": {"back", "queue"},
        "beat": {"back", "queue"},
        "worker_litecoin": {"back", "queue", "chains"},
        "worker_ethereum": {"back", "queue", "chains"},
        "signer_litecoin": {"back"},
        "signer_ethereum": {"back"},
        "release": {"back"},
        "operator": {"back", "chains"},
        "miner": {"back", "chains"},
        "postgis": {"back"},
        "broker": {"queue"},
        "litecoin": {"chains"},
        "ethereum": {"chains"},
    }
    assert {name: set(one.get("networks") or ()) for name, one in services.items() if name != "keys"} == reach


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
    }
    known = {name for one in services.values() for name in environment(one)}

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
    readers = {name for name, one in unusual.items() if any(value in str(held) for held in environment(one).values())}

    assert readers, name


def test_names_no_version_of_the_format_which_version_two_would_warn_about():
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")

    assert "version" not in parse_yaml(text)
