"""The served site of docker-compose.yml as a project of its own, in folders of its own; only for tests with an engine."""

import json
import os
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

from tests.delivery.compose import REQUIRED, ROOT
from tests.delivery.engine import APP_IMAGE
from tests.delivery.nginx_site import docker, make_certificate

IMAGES = {
    "APP_IMAGE": APP_IMAGE,
    "NGINX_IMAGE": os.environ.get("NGINX_IMAGE") or "onitsoft/nginx:latest",
    "POSTGIS_IMAGE": os.environ.get("POSTGIS_IMAGE") or "mdillon/postgis:latest",
    "REDIS_IMAGE": os.environ.get("REDIS_IMAGE") or "redis:latest",
}
APP_UID = 1000
OF_THE_APP = ("html", "journal", "keys", "signers", "signers/litecoin", "signers/ethereum")


class Stack:
    """Folders as bin/provision makes them, and docker-compose over them."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.name = f"compose-{uuid.uuid4().hex[:8]}"
        self.folder = folder
        # By content, as a deploy names them: somebody may build the same names anew while this runs.
        pinned = {name: docker("image", "inspect", "--format", "{{.Id}}", image) for name, image in IMAGES.items()}
        self.variables = REQUIRED | pinned | {"ALLOWED_HOSTS": "localhost"} | variables
        for path in ("etc/nginx/ssl", "etc/nginx/release", "letsencypt", "acme", "database", *OF_THE_APP):
            (folder / path).mkdir(parents=True)
        for path in OF_THE_APP:
            os.chown(folder / path, APP_UID, APP_UID)
        make_certificate(folder / "etc" / "nginx" / "ssl")
        (folder / "etc" / "nginx" / "nginx.conf").write_bytes((ROOT / "nginx.conf").read_bytes())

    def compose(self, *arguments: str, check: bool = True, **variables: str) -> str:
        """Run docker-compose with the stack's variables, never on a command line, and return what it said."""
        machine = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ}
        done = subprocess.run(
            ["docker-compose", "--project-name", self.name, "--file", str(ROOT / "docker-compose.yml"), *arguments],
            env=machine | self.variables | {"NEXCHANGE_ROOT": str(self.folder)} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0 or not check, f"docker-compose {' '.join(arguments)}: {done.stdout}"
        return done.stdout

    def container(self, service: str) -> str:
        return docker(
            *("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label=com.docker.compose.project={self.name}"),
            *("--filter", f"label=com.docker.compose.service={service}"),
        )

    def facts(self, service: str) -> dict[str, Any]:
        return json.loads(docker("inspect", self.container(service)))[0]

    def wait_healthy(self, *services: str, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        for service in services:
            while self.facts(service)["State"]["Health"]["Status"] != "healthy":
                assert time.monotonic() < end, f"{service}: {self.compose('logs', '--no-color', service)[-3000:]}"
                time.sleep(0.5)

    def address(self, service: str, network: str) -> str:
        return self.facts(service)["NetworkSettings"]["Networks"][f"{self.name}_{network}"]["IPAddress"]

    def remove(self) -> None:
        self.compose(
            "--profile",
            "release",
            "--profile",
            "demo",
            "down",
            "--volumes",
            "--remove-orphans",
            "--timeout",
            "5",
            check=False,
        )
