""".ci: a machine without an engine skips the rehearsal, a mistake fails; and what the site must not leave behind is found."""

import importlib.util
import os
import shutil
import subprocess
import sys

import pytest

from tests.sources import ROOT

APT = "E: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease  Could not connect"


class Machine:
    """A checkout of .ci and bin/lib, and programs that only say what the test wants."""

    def __init__(self, folder):
        self.folder = folder
        self.programs = folder / "programs"
        shutil.copytree(ROOT / ".ci", folder / ".ci", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "bin" / "lib", folder / "bin" / "lib", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("docker-compose", "iptables"):
            self.program(f"programs/{name}", "true")
        self.program("programs/sudo", '[ "$1" = -n ] && shift; exec "$@"')

    def program(self, name, body):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)

    def run(self, *command, **variables):
        kept = {name: value for name, value in os.environ.items() if name not in ("DOCKER_HOST", "WERCKER_ROOT")}
        env = {**kept, "PATH": f"{self.programs}:/usr/bin:/bin", **variables}
        return subprocess.run(
            command, cwd=self.folder, env=env, capture_output=True, text=True, check=False, timeout=100
        )


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


# --- .ci/run ---


@pytest.fixture
def ci(machine):
    for name in ("bin/lint", "bin/test", "bin/nightly", ".venv/bin/python"):
        machine.program(name, "true")
    machine.program("bin/rehearse", "echo rehearsing; exit ${REHEARSED:-0}")
    return machine


@pytest.mark.parametrize(
    ("engine", "status", "said"),
    [(0, 0, "rehearsing"), (77, 0, "THE DELIVERY WAS NOT REHEARSED"), (0, 5, "rehearsing")],
)
def test_ci_rehearses_where_an_engine_can_work(ci, engine, status, said):
    ci.program(".ci/engine", f"exit {engine}")

    done = ci.run(".ci/run", REHEARSED=str(status))

    assert done.returncode == status
    assert said in done.stdout


@pytest.mark.parametrize("status", [1, 2, 127])
def test_ci_fails_when_the_engine_fails_for_another_reason(ci, status):
    ci.program(".ci/engine", f"exit {status}")

    done = ci.run(".ci/run")

    assert done.returncode == status
    assert f"error: .ci/engine failed (status {status}" in done.stderr
    assert "NOT REHEARSED" not in done.stdout


# --- .ci/engine ---


def an_engine(machine, *, container):
    """An engine that answers and has the base image; `container` is what `docker run` does."""
    machine.program("programs/docker", f'[ "$1" != run ] || {{ {container}; }}')


def no_engine(machine, *, daemon):
    machine.program("programs/docker", "exit 1")
    machine.program("programs/dockerd", daemon)


def test_an_engine_whose_containers_reach_packages_will_do(machine):
    an_engine(machine, container="exit 0")

    assert machine.run(".ci/engine").returncode == 0


@pytest.mark.parametrize(
    ("container", "status", "said"),
    [
        (f"echo '{APT}'; exit 100", 77, "reach no packages"),
        (
            "echo 'docker: Error response from daemon: OCI runtime create failed: operation not permitted'; exit 125",
            77,
            "cannot run containers",
        ),
        ("echo 'unknown flag: --rmm'; echo \"See 'docker run --help'.\"; exit 125", 1, "ended with status 125"),
        ("echo 'E: Invalid operation updat'; exit 100", 1, "ended with status 100"),
    ],
)
def test_what_a_container_cannot_do_is_told_from_a_mistake(machine, container, status, said):
    an_engine(machine, container=container)

    done = machine.run(".ci/engine")

    assert done.returncode == status
    assert said in done.stderr


@pytest.mark.parametrize(
    ("daemon", "status"),
    [
        ('echo \'level=info msg="Starting up"\'; echo "failed to mount overlay: operation not permitted"; exit 1', 77),
        ('echo "unable to configure the Docker daemon with file /etc/docker/daemon.json"; exit 1', 1),
        ('echo "unknown flag: --pidfil"; exit 125', 1),
    ],
)
def test_an_engine_that_this_machine_does_not_allow_is_told_from_a_mistake(machine, daemon, status):
    no_engine(machine, daemon=daemon)

    done = machine.run(".ci/engine")

    assert done.returncode == status
    assert "the Docker engine did not start." in done.stderr
    assert daemon.rpartition('echo "')[2].partition('"')[0] in done.stderr


def test_a_mistake_in_the_script_is_none_of_the_machines(machine):
    an_engine(machine, container="exit 0")
    script = machine.folder / ".ci" / "engine"
    script.write_text(script.read_text().replace("\nensure_base\n", "\nensure_bas\n"))

    assert machine.run(".ci/engine").returncode == 127


def test_an_engine_elsewhere_that_does_not_answer_is_a_mistake(machine):
    no_engine(machine, daemon="true")

    assert machine.run(".ci/engine", DOCKER_HOST="tcp://127.0.0.1:1").returncode == 1


# --- .ci/site.py ---


@pytest.fixture
def site():
    spec = importlib.util.spec_from_file_location("ci_site", ROOT / ".ci" / "site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_process_of_the_run_is_found_wherever_it_works_and_others_are_not(site, tmp_path):
    script = "source bin/lib/steps.sh; source bin/lib/supervise.sh; echo $MARK"
    mark = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]
    name, _, value = mark.partition("=")
    ours = subprocess.Popen(sleeping, cwd=tmp_path, env={**os.environ, name: value})
    theirs = subprocess.Popen(sleeping, cwd=ROOT, env={**os.environ, name: f"{value}0"})
    try:
        found = {line.split()[0]: line for line in site.processes_of_run()}
    finally:
        for process in (ours, theirs):
            process.kill()
            process.wait()

    assert found[str(ours.pid)].endswith("import time; time.sleep(60)")
    assert str(theirs.pid) not in found
