"""What `bin/deploy` refuses before it touches a server, and how it signs in; no server is needed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sources import ROOT

NASTY = "$HOME #1 'x' \"y\" and long enough for a key:"
SECRETS = ("POSTGIS_ENV_POSTGRES_PASSWORD", "APP_DB_PASSWORD", "SECRET_KEY", "TOKEN_KEY", "BACKUP_PASSPHRASE")
GIVEN = {
    "SSH_USER": "wercker",
    "DEST_HOST_ADDR": "127.0.0.1:1",
    "SSH_HOST_KEY": "[127.0.0.1]:1 ssh-ed25519 AAAA",
    "PEM_FILE_CONTENT": "key",
    "DOCKER_HUB_REPO": "localhost:1/shop/site",
    "DOCKER_HUB_USER": "pusher",
    "DOCKER_HUB_PASSWORD": f"hub {NASTY}",
    "DOCKER_IMAGE_TAG": "latest",
    "POSTGIS_ENV_POSTGRES_USER": "owner",
    "POSTGIS_ENV_POSTGRES_DB": "books",
    "ALLOWED_HOSTS": "exchange.example",
} | {name: f"{NASTY} {name}" for name in SECRETS}
LIVE = {
    f"{chain}_{name}": "12.5" if "CEILING" in name else f"{NASTY} {name}"
    for chain in ("LITECOIN", "ETHEREUM")
    for name in ("RPC_URL", "ACCOUNT_KEY", "CEILING_PAYOUT", "CEILING_HOUR", "CEILING_DAY", "CEILING_FUNDED_HOUR")
}
GIVEN |= LIVE


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> Path:
    """What a build puts there, by the step that does."""
    folder = tmp_path_factory.mktemp("output")
    environment = os.environ | {"WERCKER_OUTPUT_DIR": str(folder), "WERCKER_GIT_COMMIT": "0123abc"}
    subprocess.run([ROOT / "bin" / "steps" / "place-output"], cwd=ROOT, env=environment, check=True)
    return folder


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("key") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path.read_text()


def run(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)} | GIVEN | variables
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


def functions(folder: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script that knows the functions of the half that runs here."""
    text = f"source bin/lib/steps.sh; source bin/lib/deploy/values.sh; source bin/lib/deploy/connection.sh; {script}"
    return run(folder, "bash", "-c", text, **variables)


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_each_missing_variable_is_named(output, name):
    refused = run(output, "bin/deploy", **{name: ""})

    assert refused.returncode == 1
    assert f"not set: {name}" in refused.stderr


@pytest.mark.parametrize("name", sorted(LIVE))
def test_a_demo_makes_these_itself(output, name):
    assert f"not set: {name}" not in run(output, "bin/deploy", "--check", SITE_MODE="demo", **{name: ""}).stderr


def test_all_missing_variables_are_named_at_once_and_the_old_spelling_with_a_hint(output):
    refused = run(output, "bin/deploy", DOCKER_IMAGE_TAG="", DOCKER_IAMGE_TAG="old", SECRET_KEY="")

    assert "not set: DOCKER_IMAGE_TAG" in refused.stderr
    assert "not set: SECRET_KEY" in refused.stderr
    assert "spell it DOCKER_IMAGE_TAG" in refused.stderr


@pytest.mark.parametrize(("length", "short"), [(31, True), (32, False)])
@pytest.mark.parametrize("name", ["SECRET_KEY", "TOKEN_KEY", "QUOTE_KEY"])
def test_a_key_with_which_no_release_starts_is_named_and_not_shown(output, name, length, short):
    """Releases before asked for no length: theirs would be said after the tables were migrated."""
    refused = run(output, "bin/deploy", "--check", **{name: "k" * length})

    assert (refused.returncode == 1) is short
    assert (f"{name} has fewer than 32 characters" in refused.stderr) is short
    assert "kkkk" not in refused.stdout + refused.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEST_HOST_ADDR", "https://server.example"),
        ("LITECOIN_CEILING_HOUR", "all of it"),
        ("ETHEREUM_CEILING_DAY", "-1"),
        ("ETHEREUM_CEILING_PAYOUT", "1e3"),
        ("DEST_HOST_ADDR", "server.example:ssh"),
        ("DEST_HOST_ADDR", "-oProxyCommand=x"),
        ("SSH_USER", "a b"),
        ("GUNICORN_PORT", "eight"),
        ("GUNICORN_PORT", "0"),
        ("GUNICORN_PORT", "65536"),
        ("API_REQUESTS_PER_MINUTE", "many"),
        ("API_REQUESTS_PER_MINUTE", "0"),
        ("DRAIN_SECONDS", "-1"),
        ("RENEW_SECONDS", "12h"),
        ("PROXY_NETWORKS", "everybody"),
        ("PROXY_NETWORKS", "10.0.0.0/8; return 200"),
        ("HEALTH_SECONDS", "3 min"),
        ("DEPLOY_NEEDED_MB", "2GB"),
        ("STATIC_KEEP_HOURS", "0"),
        ("BACKUP_KEEP", "all"),
        ("DEPLOY_SERVICES", "Yes"),
        ("DOCKER_IMAGE_TAG", "latest v2"),
        ("DOCKER_IMAGE_TAG", "latest,v2"),
        ("VOLUMES_PARAM", "/a:/b"),
        ("VOLUMES_PARAM", "-v /a:/b -v"),
        ("VOLUMES_PARAM", "-v /a"),
        ("VOLUMES_PARAM", "-v /it's:/b"),
        ("PORTS_PARAM", "-p https"),
        ("PORTS_PARAM", "-v 80:80"),
    ],
)
def test_a_value_of_the_wrong_shape_is_named(output, name, value):
    refused = run(output, "bin/deploy", **{name: value})

    assert refused.returncode == 1
    assert f"{name} is '{value}'" in refused.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEST_HOST_ADDR", "server.example"),
        ("DEST_HOST_ADDR", "192.0.2.7:2222"),
        ("DEST_HOST_ADDR", "[2001:db8::7]:2222"),
        ("VOLUMES_PARAM", "-v /a:/b -v named:/c:ro"),
        ("PORTS_PARAM", "-p 127.0.0.1:8080:80 -p 8443:443/tcp"),
        ("PROXY_NETWORKS", "10.0.0.0/8, 2001:db8::/32"),
    ],
)
def test_a_value_of_the_right_shape_is_taken(output, name, value):
    assert functions(output, "check_values", **{name: value}).returncode == 0


def test_what_is_not_the_output_of_a_build_is_refused(output, tmp_path):
    shutil.copytree(output, tmp_path / "source", ignore=shutil.ignore_patterns("COMMIT"))

    refused = run(tmp_path / "source", "bin/deploy")

    assert refused.returncode == 1
    assert "bin/wercker build --artifacts" in refused.stderr


@pytest.mark.parametrize("name", ["PEM_FILE_CONTENT", "PEM_FILE_CONTENT_PRIVATE"])
@pytest.mark.parametrize("one_line", [True, False])
def test_the_key_is_taken_on_one_line_or_many_and_is_gone_afterwards(output, key, name, one_line):
    given = {"PEM_FILE_CONTENT": "", name: key.replace("\n", "\\n") if one_line else key}
    script = 'open_connection; stat -c "%a %n" "$SSH_FOLDER" "$SSH_FOLDER"/*; close_connection; ls "$SSH_FOLDER"'

    done = functions(output, script, **given)

    modes = dict(reversed(line.split()) for line in done.stdout.splitlines())
    assert sorted(modes.values()) == ["600", "600", "700"], done.stderr
    assert "No such file" in done.stderr


def test_another_text_than_a_key_is_refused(output):
    refused = run(output, "bin/deploy")

    assert "PEM_FILE_CONTENT is no private key" in refused.stderr


def test_what_is_printed_names_the_database_and_hides_every_secret(output, key):
    done = run(output, "bin/deploy", PEM_FILE_CONTENT=key)

    assert "user       owner" in done.stdout
    assert "database   books at postgis" in done.stdout
    assert "POSTGIS_ENV_POSTGRES_PASSWORD=set" in done.stdout
    assert "tag        latest, commit 0123abc" in done.stdout
    assert NASTY not in done.stdout + done.stderr
    assert "no image was pushed for this output" in done.stderr
    assert done.returncode == 1


def test_a_server_that_is_not_there_is_named_with_what_to_look_at(output, key):
    done = functions(output, "open_connection; check_connection", PEM_FILE_CONTENT=key)

    assert done.returncode == 1
    assert "the server at 127.0.0.1:1 cannot be reached" in done.stderr
    assert "is the port open?" in done.stderr


def test_only_the_pinned_host_key_is_believed(output, key):
    done = functions(output, 'open_connection; printf "%s\\n" "${SSH_OPTIONS[@]}" "$SERVER"', PEM_FILE_CONTENT=key)

    options = done.stdout.split()
    assert {"StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null", "Port=1", "IdentitiesOnly=yes"} <= set(
        options
    )
    assert options[-1] == "wercker@127.0.0.1"


def test_every_variable_that_compose_reads_travels(output):
    sent = set(functions(output, "sent_names").stdout.split())

    assert sent >= set(SECRETS) | {
        "SITE_MODE",
        "LOG_LEVEL",
        "PROMISES_PER_CLIENT",
        "NEW_RELIC_LICENSE_KEY",
        "VOLUMES_PARAM",
    }
    assert not sent & {"PEM_FILE_CONTENT", "PEM_FILE_CONTENT_PRIVATE", "SSH_HOST_KEY"}
