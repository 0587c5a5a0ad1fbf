"""bin/lib/engine.sh on a machine without Docker: installs it, starts it by hand, stops only what it started."""

import os

import pytest

from tests.delivery.server import ROOT, run

pytestmark = pytest.mark.docker
NAME = f"nexchange-test-engine-{os.getpid()}"
PARTS = "source bin/lib/steps.sh; source bin/lib/engine.sh;"


@pytest.fixture(scope="module")
def machine():
    """A machine with this checkout's scripts and nothing else; its folder for images is a volume, as an engine needs."""
    start = f"""
        source bin/lib/steps.sh; source bin/lib/rehearse/network.sh; source bin/lib/rehearse/target.sh
        docker run -d --name {NAME} "${{TARGET_RIGHTS[@]}}" --entrypoint bash "$TARGET_IMAGE" -c '
            for group in /sys/fs/cgroup/*/; do mount -o remount,bind,rw,nosuid,nodev,noexec "$group"; done
            exec sleep 3600'
        docker exec {NAME} mkdir /checkout
        docker cp bin {NAME}:/checkout/bin
    """
    started = run(["bash", "-c", start], cwd=ROOT)
    assert started.returncode == 0, started.stderr
    yield lambda script: run(["docker", "exec", NAME, "bash", "-c", f"cd /checkout; {PARTS} {script}"])
    run(["docker", "rm", "--force", "--volumes", NAME])


def test_an_engine_is_installed_started_used_and_stopped(machine):
    first = machine("ensure_engine && docker version --format '{{.Server.Version}}' && docker-compose version --short")
    assert first.returncode == 0, first.stdout + first.stderr
    pid = machine("cat var/engine/pid").stdout.strip()
    assert f"started, process {pid}" in first.stdout

    again = machine("ensure_engine")
    assert (again.returncode, again.stdout) == (0, "")

    stopped = machine("stop_engine; engine_answers || echo silent; test -e /proc/" + pid + " || echo ended")
    assert stopped.stdout.split() == ["silent", "ended"]


def test_an_engine_that_somebody_else_runs_is_left_alone(machine):
    machine(
        "setsid dockerd >/var/log/theirs 2>&1 </dev/null & for i in {1..50}; do engine_answers && break; sleep 0.2; done"
    )
    machine("ensure_engine; stop_engine")

    assert machine("engine_answers && echo answers").stdout.strip() == "answers"


def test_an_engine_that_does_not_start_is_explained_by_its_log(machine):
    machine("kill $(cat /run/docker.pid); sleep 2")
    failed = machine("mkdir -p /etc/docker; echo '{broken' >/etc/docker/daemon.json; ensure_engine")

    assert failed.returncode == 1
    assert "the Docker engine did not start." in failed.stderr
    assert "unable to configure the Docker daemon" in failed.stderr
    assert "var/engine/log" in failed.stderr
