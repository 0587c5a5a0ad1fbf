"""A server refuses every secret that the tracked file ENVIRONMENT holds; a build may use them."""

import os
import re
import subprocess
import sys

import pytest

from core.development_secrets import DevelopmentSecret, refuse_development_secrets
from tests.sources import ROOT

NAMES = ("SECRET_KEY", "TOKEN_KEY", "POSTGIS_ENV_POSTGRES_PASSWORD", "APP_DB_PASSWORD")
OWN = {name: f"{name.lower()}-of-this-server-alone-0123456789-0123456789" for name in NAMES}


def read_environment():
    lines = (ROOT / "ENVIRONMENT").read_text(encoding="utf-8").splitlines()
    return dict(line.removeprefix("X_").split("=", 1) for line in lines if line.startswith("X_"))


def run_under_production(*command, **variables):
    machine = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**machine, "DJANGO_SETTINGS_MODULE": "nexchange.settings_prod", "POSTGIS_PORT_5432_TCP_ADDR": "127.0.0.1"}
        | {"POSTGIS_PORT_5432_TCP_PORT": "9", "REDIS_URL": "redis://127.0.0.1:9"}
        | OWN
        | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_refused_values_are_those_of_the_file():
    text = (ROOT / "nexchange/settings_prod.py").read_text(encoding="utf-8")
    refused = set(re.findall(r'"([^"]+)"', text.split("REFUSED_SECRETS = ")[1].split("\n")[0]))

    in_file = {value for name, value in read_environment().items() if re.search("KEY|PASSWORD", name) and value}

    assert refused == in_file


@pytest.mark.parametrize("name", NAMES)
def test_refuses_each_by_name_and_keeps_its_value_to_itself(name, settings, monkeypatch):
    settings.REFUSED_SECRETS = ("published-value",)
    if name == "POSTGIS_ENV_POSTGRES_PASSWORD":
        monkeypatch.setitem(settings.DATABASES["owner"], "PASSWORD", "published-value")
    else:
        setattr(settings, name, "published-value")

    with pytest.raises(DevelopmentSecret) as refused:
        refuse_development_secrets()

    assert name in str(refused.value)
    assert all(other not in str(refused.value) for other in NAMES if other != name)
    assert "published-value" not in str(refused.value)


SERVERS = {
    "web": [sys.executable, "-c", "import nexchange.wsgi"],
    "release": [sys.executable, "manage.py", "release"],
    "waiting for a release": [sys.executable, "manage.py", "release", "--wait"],
    "worker": [sys.executable, "-m", "celery", "-A", "nexchange", "worker", "--pool", "solo"],
    "beat": [sys.executable, "-m", "celery", "-A", "nexchange", "beat", "--schedule", "SCHEDULE"],
}
KINDS = {"web": "web", "worker": "worker", "beat": "beat", "release": "operator", "waiting for a release": "worker"}


@pytest.mark.slow
@pytest.mark.parametrize("server", ["web", "worker", "beat"])
def test_no_process_of_a_server_works_as_all_kinds_together(server, tmp_path):
    command = [part.replace("SCHEDULE", str(tmp_path / "beat")) for part in SERVERS[server]]

    refused = run_under_production(*command)

    assert refused.returncode != 0
    assert "DB_ROLE is not set" in refused.stderr + refused.stdout


@pytest.mark.parametrize("kind", ["worker_litecoin", "worker", "beat", "operator"])
def test_whoever_speaks_to_nobody_is_given_none_of_those_keys(kind):
    """And is not able to make a token, or to sign anything, that web would believe."""
    tries = (
        "import django; django.setup()\nfrom django.core import signing\nfrom core.tokens import make_token\n"
        "from django.core.exceptions import ImproperlyConfigured\nfrom core.start import refuse_unsafe_start\n"
        "refuse_unsafe_start()\n"
        "for make in (lambda: make_token('health', '', ''), lambda: signing.dumps('x')):\n"
        "    try:\n        make()\n    except ImproperlyConfigured as error:\n        print(error)\n"
    )

    told = run_under_production(sys.executable, "-c", tries, DB_ROLE=kind, SECRET_KEY="", TOKEN_KEY="")

    assert told.returncode == 0, told.stderr
    assert re.findall(r"TOKEN_KEY is not set|The SECRET_KEY setting must not be empty", told.stdout) == [
        "TOKEN_KEY is not set",
        "The SECRET_KEY setting must not be empty",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("server", SERVERS)
def test_no_server_starts_with_a_published_secret(server, tmp_path):
    # Beat makes its schedule before it asks, and removes one that it cannot read: never a device.
    command = [part.replace("SCHEDULE", str(tmp_path / "beat")) for part in SERVERS[server]]
    refused = run_under_production(*command, DB_ROLE=KINDS[server], TOKEN_KEY=read_environment()["TOKEN_KEY"])

    assert refused.returncode != 0
    assert re.search(r"TOKEN_KEY (of this server|can be guessed)", refused.stderr + refused.stdout)


def test_a_server_with_secrets_of_its_own_starts():
    started = run_under_production(*SERVERS["web"], DB_ROLE="web")

    assert started.returncode == 0, started.stderr


LIVE = {"SITE_MODE": "live", "ALLOWED_HOSTS": "site.example"}


def test_a_live_server_starts():
    started = run_under_production(*SERVERS["web"], DB_ROLE="web", **LIVE)

    assert started.returncode == 0, started.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "wrong", "said"),
    [
        *[(server, {"TICKER_MARKET": "demo"}, "core.E003") for server in SERVERS],
        (
            "web",
            {"LITECOIN_ACCOUNT_KEY": "tpubDDS8yc6txW2j1tkaD4yPJVFGrb7UjH8L4gQoZK7XuZ7RfxkBeyZf3BXE"},
            "wallets.E002",
        ),
        ("web", {"DJANGO_SETTINGS_MODULE": "nexchange.settings_dev"}, "core.E006"),
    ],
    ids=str,
)
def test_no_process_starts_with_what_the_checks_refuse(server, wrong, said, tmp_path):
    command = [part.replace("SCHEDULE", str(tmp_path / "beat")) for part in SERVERS[server]]

    refused = run_under_production(*command, DB_ROLE=KINDS[server], **LIVE | wrong)

    assert refused.returncode != 0
    assert said in refused.stderr + refused.stdout


def test_a_build_may_use_the_published_ones():
    built = run_under_production(
        sys.executable,
        "manage.py",
        "collectstatic",
        "--noinput",
        "--dry-run",
        **dict.fromkeys(NAMES, "development-only"),
    )

    assert built.returncode == 0, built.stderr


def test_the_deployment_check_is_clean_under_production():
    checked = run_under_production(
        sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING", ALLOWED_HOSTS="site.example"
    )

    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout
