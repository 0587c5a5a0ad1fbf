"""What bin/images builds, from which base, and what it pushes: tried with a stand-in for docker in a copy of the scripts."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from wercker.engine import OURS

from tests.delivery.wercker import ROOT

DIGEST = "sha256:" + "ab" * 32
DOCKER = f"""#!{sys.executable}
import json, os, sys
from pathlib import Path
arguments = sys.argv[1:]
seen = sorted(path.name for path in Path(arguments[-1]).iterdir()) if arguments[0] == "build" else []
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps([arguments, seen]) + "\\n")
if arguments[0] == "version" and os.environ.get("NO_ENGINE"):
    sys.exit(1)
if arguments[:2] == ["image", "inspect"]:
    print("elsewhere.example/app@sha256:00")
    print(arguments[-1].rsplit(":", 1)[0] + "@{DIGEST}")
"""


class Checkout:
    """The scripts and the images' folders in a place of their own, so that nothing of this checkout is touched."""

    def __init__(self, folder):
        self.folder, self.calls_file = folder / "checkout", folder / "calls"
        for name in ("bin", "docker"):
            shutil.copytree(ROOT / name, self.folder / name)
        for name in ("requirements.txt", "requirements-dev.txt", "package.json", "package-lock.json", ".npmrc"):
            shutil.copy(ROOT / name, self.folder / name)
        program = folder / "programs" / "docker"
        program.parent.mkdir()
        program.write_text(DOCKER)
        program.chmod(0o755)

    def run(self, *arguments, **variables):
        machine = {"PATH": f"{self.calls_file.parent / 'programs'}:{os.environ['PATH']}", "CALLS": str(self.calls_file)}
        return subprocess.run(
            [self.folder / "bin/images", *arguments],
            env=machine | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def calls(self, verb):
        lines = [json.loads(line) for line in self.calls_file.read_text().splitlines()]
        return [(arguments, seen) for arguments, seen in lines if arguments[0] == verb]


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


@pytest.mark.parametrize(
    ("name", "tag", "brought_along"),
    [
        ("box", "pitervergara/geodjango:nexchange", {"requirements.txt", "requirements-dev.txt", "package-lock.json"}),
        ("postgis", "mdillon/postgis:latest", {"postgis-entrypoint.sh"}),
        ("redis", "redis:latest", set()),
        ("chains", "nexchange/chains:latest", {"node", "package.json", "package-lock.json"}),
    ],
)
def test_each_image_gets_its_name_and_sees_only_what_it_needs(checkout, name, tag, brought_along):
    done = checkout.run(name)

    assert done.returncode == 0, done.stderr
    [(arguments, seen)] = checkout.calls("build")
    assert arguments[:3] == ["build", "--tag", tag]
    assert brought_along | {"Dockerfile"} <= set(seen)
    assert not {"manage.py", "ENVIRONMENT", ".git", "tests"} & set(seen)
    assert "--build-arg" not in arguments  # the base is the Dockerfile's own


def test_another_base_reaches_every_image(checkout):
    checkout.run("postgis", "redis", "--base", "registry.example/debian:12")

    assert [arguments[3:5] for arguments, _ in checkout.calls("build")] == [
        ["--build-arg", "BASE_IMAGE=registry.example/debian:12"]
    ] * 2


def test_the_services_are_pushed_and_their_digests_kept(checkout):
    repository = {"DOCKER_HUB_REPO": "registry.example:5000/nexchange/app"}

    done = checkout.run("redis", "box", "--push", **repository)
    checkout.run("redis", "--push", **repository)

    assert done.returncode == 0, done.stderr
    assert [arguments for arguments, _ in checkout.calls("push")] == [
        ["push", "registry.example:5000/nexchange/app:redis"]
    ] * 2
    assert (checkout.folder / "var/images/digests.env").read_text() == (
        f"REDIS_IMAGE=registry.example:5000/nexchange/app@{DIGEST}\n"
    )


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["nginz"], {}, "'nginz' is not an image of ours"),
        (["redis", "--push"], {}, "DOCKER_HUB_REPO"),
        (["redis"], {"NO_ENGINE": "yes"}, "no Docker engine answers"),
        (["redis", "--base"], {}, "--base wants the name of an image"),
    ],
)
def test_says_what_is_missing_before_anything_is_built(checkout, arguments, variables, said):
    done = checkout.run(*arguments, **variables)

    assert done.returncode != 0
    assert said in done.stderr
    assert not checkout.calls_file.exists() or not checkout.calls("build")


@pytest.mark.parametrize("path", sorted(path.relative_to(ROOT) for path in ROOT.glob("docker/*/Dockerfile")), ids=str)
def test_every_dockerfile_builds_with_the_classic_builder_from_a_base_that_is_told(path):
    text = (ROOT / path).read_text(encoding="utf-8")

    assert "ARG BASE_IMAGE=debian:bookworm-slim" in text
    assert "FROM ${BASE_IMAGE}" in text
    assert "--mount" not in text
    assert "# syntax" not in text


def test_docker_hub_may_be_named_in_front(checkout):
    done = checkout.run("redis", "--push", DOCKER_HUB_REPO="docker.io/onitsoft/nexchange")

    assert done.returncode == 0, done.stderr
    assert (checkout.folder / "var/images/digests.env").read_text() == f"REDIS_IMAGE=onitsoft/nexchange@{DIGEST}\n"


def test_the_runner_knows_which_images_are_ours():
    script = 'source bin/lib/images.sh; for name in "${!TAGS[@]}"; do echo "${TAGS[$name]} $name"; done'
    told = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert dict(line.split() for line in told.splitlines()).items() >= OURS.items()
