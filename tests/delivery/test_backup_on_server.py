"""bin/backup and bin/restore as they lie on a server: real images, a database volume that is wiped."""

import os
import re
import shlex
import shutil
import subprocess

import pytest

from tests.delivery.compose import ROOT
from tests.delivery.compose_stack import Stack
from tests.delivery.nginx_site import docker

pytestmark = pytest.mark.docker

PASSPHRASE = "canary $ # ' \" passphrase"
CHANGED_BY_A_RESTORE = ("public.wallets_freeze", "public.wallets_chainstate")


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    stack = Stack(tmp_path_factory.mktemp("server"), TICKER_MARKET="demo")
    (stack.folder / "backups").mkdir()
    (stack.folder / "bin" / "lib").mkdir(parents=True)
    for name in ("backup", "restore"):
        shutil.copy(ROOT / "bin" / name, stack.folder / "bin" / name)
    shutil.copytree(ROOT / "bin" / "lib" / "backup", stack.folder / "bin" / "lib" / "backup")
    shutil.copy(ROOT / "docker-compose.yml", stack.folder)
    lines = [
        f"{name}={shlex.quote(value)}\n"
        for name, value in (stack.variables | {"NEXCHANGE_ROOT": str(stack.folder)}).items()
    ]
    (stack.folder / "target.env").write_text("".join(lines))
    try:
        stack.compose("up", "--detach", "postgis", "broker")
        stack.compose("run", "--rm", "release")
        yield stack
    finally:
        stack.remove()
        docker("run", "--rm", "--volume", f"{stack.folder}:/folder", "--entrypoint", "rm", stack.variables["POSTGIS_IMAGE"],
               "-rf", "/folder/database")  # fmt: skip


def environment(stack):
    machine = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ}
    return machine | {"BACKUP_PASSPHRASE": PASSPHRASE, "COMPOSE_PROJECT_NAME": stack.name}


def run(stack, script, *arguments, **variables):
    return subprocess.run(
        ["bash", stack.folder / "bin" / script, *arguments],
        env=environment(stack) | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )


def hashes(stack):
    done = run(stack, "backup", "--hashes")
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def back_up(stack):
    done = run(stack, "backup")
    assert done.returncode == 0, done.stderr
    return stack.folder / "backups" / re.search(r"^backup (\S+):", done.stdout, re.MULTILINE)[1]


def test_a_wiped_volume_comes_back_with_equal_hashes_and_the_site_starts_again(stack):
    (stack.folder / "html" / "media").mkdir()
    (stack.folder / "html" / "media" / "logo.png").write_bytes(b"picture")
    (stack.folder / "journal" / "payouts.journal").write_text('{"txid": "1"}\n')
    stack.compose("up", "--detach", "app")
    stack.wait_healthy("app")
    before, backup = hashes(stack), back_up(stack)

    refused = run(stack, "restore", str(backup), "--replace")
    assert "the site runs: app" in refused.stderr

    shutil.rmtree(stack.folder / "html" / "media")
    (stack.folder / "journal" / "payouts.journal").unlink()
    stack.compose("rm", "--stop", "--force", "postgis")
    docker("run", "--rm", "--volume", f"{stack.folder}:/folder", "--entrypoint", "sh", stack.variables["POSTGIS_IMAGE"],
           "-c", "rm -rf /folder/database/*")  # fmt: skip
    stack.compose("up", "--detach", "postgis")
    stack.wait_healthy("postgis")
    done = run(stack, "restore", backup.name, "--stop")

    assert done.returncode == 0, done.stdout + done.stderr
    after = hashes(stack)
    assert len(after) > 30
    assert {t: h for t, h in after.items() if t not in CHANGED_BY_A_RESTORE} == {
        t: h for t, h in before.items() if t not in CHANGED_BY_A_RESTORE
    }
    assert (stack.folder / "html" / "media" / "logo.png").read_bytes() == b"picture"
    journal = stack.folder / "journal" / "payouts.journal"
    assert journal.read_text() == '{"txid": "1"}\n'
    assert journal.stat().st_uid == 1000, "the worker goes on writing it"
    stack.wait_healthy("app")


def test_no_secret_is_in_what_the_engine_knows_of_the_container(stack):
    inspected = []
    backup = subprocess.Popen(
        ["bash", stack.folder / "bin" / "backup"],
        env=environment(stack),
        stdout=subprocess.DEVNULL,
    )
    while backup.poll() is None:
        for container in docker("ps", "--quiet", "--filter", f"network={stack.name}_back").split():
            facts = docker("inspect", container, check=False)
            if "backup/core.sh" in facts:
                inspected.append(facts + docker("top", container, "-eo", "args", check=False))

    assert backup.returncode == 0
    assert inspected
    for facts in inspected:
        assert "canary" not in facts
        assert stack.variables["POSTGIS_ENV_POSTGRES_PASSWORD"] not in facts


def test_a_full_disk_and_a_database_that_is_away_leave_the_last_backup_alone(stack):
    backup = back_up(stack)
    take = (
        "printf '%s\\n' passphrase \"$PASSWORD\" | PGHOST=postgis PGPORT=5432 PGUSER=owner PGDATABASE=site KEEP=1"
        " BACKUPS=/small MEDIA=/nowhere JOURNAL=/nowhere SIGNERS=/nowhere"
        " bash /tools/core.sh take; status=$?; ls -A /small; exit $status"
    )
    full = subprocess.run(
        ["docker", "run", "--rm", "--tmpfs", "/small:size=40k", "--volume", f"{ROOT}/bin/lib/backup:/tools:ro",
         "--network", f"{stack.name}_back", "--env", "PASSWORD", "--entrypoint", "bash", stack.variables["POSTGIS_IMAGE"],
         "-c", take],
        env=os.environ | {"PASSWORD": stack.variables["POSTGIS_ENV_POSTGRES_PASSWORD"]},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    stack.compose("stop", "postgis")
    try:
        away = run(stack, "backup")
    finally:
        stack.compose("start", "postgis")
        stack.wait_healthy("postgis")

    assert full.returncode == 1, full.stdout + full.stderr
    assert "the disk is full" in full.stderr
    assert full.stdout.split() == [".lock"]
    assert away.returncode == 1
    assert "does not answer" in away.stderr
    assert run(stack, "backup", "--verify", str(backup)).returncode == 0
