"""Containers of a test's own on the Docker engine: a network, names that nobody else uses, and all of it gone at the end."""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable
from typing import Any

APP_IMAGE = os.environ.get("APP_IMAGE") or "nexchange/app:latest"


def docker(*arguments: str, check: bool = True, timeout: int = 180) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=False, timeout=timeout, errors="replace"
    )
    assert not check or done.returncode == 0, f"docker {' '.join(arguments[:3])}: {done.stderr}{done.stdout}"
    return done


def inspect(name: str) -> dict[str, Any]:
    """Return what the engine knows of an image or a container; an image that is not there is to be built first."""
    done = docker("inspect", name, check=False)
    assert done.returncode == 0, f"{name} is not there: run bin/images"
    return json.loads(done.stdout)[0]


def wait_for(condition: Callable[[], bool], what: str, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.2)


class Engine:
    """A network and the containers on it."""

    def __init__(self) -> None:
        self.prefix = f"images-test-{uuid.uuid4().hex[:8]}"
        self.containers: list[str] = []
        self.volumes: list[str] = []
        docker("network", "create", self.prefix)

    def volume(self, name: str) -> str:
        self.volumes.append(f"{self.prefix}-{name}")
        docker("volume", "create", self.volumes[-1])
        return self.volumes[-1]

    def start(self, name: str, image: str, *command: str, options: tuple[str, ...] = (), **variables: str) -> str:
        """Start a container that others reach by `name`; return the name it has on the engine."""
        full = f"{self.prefix}-{name}"
        self.containers.append(full)
        given = [part for key, value in variables.items() for part in ("--env", f"{key}={value}")]
        place = ("--name", full, "--network", self.prefix, "--network-alias", name)
        docker("run", "--detach", *place, *options, *given, image, *command)
        return full

    def run(
        self, image: str, *command: str, options: tuple[str, ...] = (), **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a container to its end."""
        given = [part for key, value in variables.items() for part in ("--env", f"{key}={value}")]
        return docker("run", "--rm", "--network", self.prefix, *options, *given, image, *command, check=False)

    def wait_until_healthy(self, container: str, within_s: float = 120) -> None:
        wait_for(lambda: self.health(container) == "healthy", f"{container} is healthy", within_s)

    def health(self, container: str) -> str:
        return str(inspect(container)["State"]["Health"]["Status"])

    def address(self, container: str) -> str:
        return str(inspect(container)["NetworkSettings"]["Networks"][self.prefix]["IPAddress"])

    def logs(self, container: str) -> str:
        done = docker("logs", container)
        return done.stdout + done.stderr

    def close(self) -> None:
        for container in self.containers:
            docker("rm", "--force", "--volumes", container, check=False)
        for volume in self.volumes:
            docker("volume", "rm", "--force", volume, check=False)
        docker("network", "rm", self.prefix, check=False)
