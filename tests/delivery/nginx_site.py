"""A running nginx of ours with stand-ins for the app behind it, in containers of their own on a network of their own."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
IMAGE = os.environ.get("NGINX_IMAGE") or "onitsoft/nginx:latest"
STUB = Path(__file__).with_name("upstream_stub.py")


def docker(*arguments: str, check: bool = True) -> str:
    """Run the Docker client and return what it said, errors included."""
    done = subprocess.run(
        ["docker", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120
    )
    assert done.returncode == 0 or not check, f"docker {' '.join(arguments)}: {done.stdout}"
    return done.stdout.strip()


def make_certificate(folder: Path, *, name: str = "localhost", key: str = "ec", days: int = 200) -> None:
    """Write fullchain.pem and privkey.pem of a fresh self-signed certificate into `folder`."""
    kinds = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], "rsa": ["-newkey", "rsa:2048"]}
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-sha256", "-days", str(days), "-subj", f"/CN={name}", *kinds[key]),
            *("-addext", f"subjectAltName=DNS:{name},DNS:localhost"),
            *("-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")),
        ],
        check=True,
        capture_output=True,
    )


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Site:
    """Folders as on a server, nginx over them, and stand-ins that are started and stopped by name."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.name = f"compose-nx-{uuid.uuid4().hex[:8]}"
        self.folder = folder
        self.etc = folder / "etc" / "nginx"
        self.html = folder / "html"
        self.record = folder / "record"
        for path in (
            self.etc / "release",
            self.html / "static",
            self.html / "media",
            folder / "acme",
            folder / "letsencypt",
        ):
            path.mkdir(parents=True)
        self.record.touch()
        shutil.copy(ROOT / "nginx.conf", self.etc / "nginx.conf")
        self._variables = variables
        self.address = ""

    def start(self) -> "Site":
        docker("network", "create", self.name)
        self.run_nginx("--detach", "--name", f"{self.name}-nginx")
        self.address = self.address_of("nginx")
        self.wait_for(self.address, 443)
        return self

    def run_nginx(self, *options: str, command: tuple[str, ...] = ()) -> str:
        """Run the image as docker-compose.yml does: nothing but tmpfs may be written, few rights."""
        mounts = [f"{self.etc}:/etc/nginx:ro", f"{self.folder}/letsencypt:/etc/letsencrypt"]
        mounts += [f"{self.folder}/acme:/var/www/acme", f"{self.html}:/usr/share/nginx/html:ro"]
        rights = ("NET_BIND_SERVICE", "SETUID", "SETGID", "CHOWN", "FOWNER", "DAC_OVERRIDE", "KILL")
        folders = ("/run", "/tmp", "/var/lib/nginx", "/var/lib/letsencrypt", "/var/log/letsencrypt")  # noqa: S108
        return docker(
            *("run", "--network", self.name, "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            *(f"--cap-add={right}" for right in rights),
            *(f"--tmpfs={path}" for path in folders),
            *(f"--volume={mount}" for mount in mounts),
            *(f"--env={name}={value}" for name, value in {"LOOK_SECONDS": "1", **self._variables}.items()),
            *options,
            IMAGE,
            *command,
            check="--rm" not in options,
        )

    def start_app(self, alias: str, *, label: str) -> None:
        """Start a stand-in that nginx finds under `alias` and that calls itself `label`; return when it answers."""
        docker(
            *("run", "--detach", "--name", f"{self.name}-{label}", "--network", self.name, "--network-alias", alias),
            *("--stop-signal", "SIGTERM", f"--volume={STUB}:/stub.py:ro", f"--volume={self.record}:/record"),
            *(IMAGE, "python3", "/stub.py", label, "/record"),
        )
        self.wait_for(self.address_of(label), 8000)

    def stop_app(self, label: str) -> None:
        docker("stop", "--time", "20", f"{self.name}-{label}")
        docker("rm", f"{self.name}-{label}")

    def address_of(self, label: str) -> str:
        return docker(
            "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", f"{self.name}-{label}"
        )

    def wait_for(self, address: str, port: int, *, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
                return
            time.sleep(0.1)
        raise AssertionError(f"{address}:{port} does not answer: {self.logs()}")

    def choose_next(self) -> None:
        (self.etc / "release" / "next").touch()

    def choose_app(self) -> None:
        (self.etc / "release" / "next").unlink()

    def logs(self) -> str:
        return docker("logs", f"{self.name}-nginx", check=False)

    def connect(self, *, alpn: str = "http/1.1") -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.etc / "ssl" / "fullchain.pem"))
        context.set_alpn_protocols([alpn])
        connection = http.client.HTTPSConnection(self.address, 443, timeout=20, context=context)
        context.check_hostname = False
        return connection

    def connect_trustingly(self) -> http.client.HTTPSConnection:
        """Connect whatever certificate is presented."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(self.address, 443, timeout=20, context=context)

    def ask(self, path: str, *, method: str = "GET", body: str | None = None, **headers: str) -> Answer:
        with contextlib.closing(self.connect()) as connection:
            return ask(connection, path, method=method, body=body, **headers)

    def ask_plainly(self, path: str) -> Answer:
        with contextlib.closing(http.client.HTTPConnection(self.address, 80, timeout=20)) as connection:
            return ask(connection, path)

    def remove(self) -> None:
        names = docker("ps", "--all", "--quiet", "--filter", f"name={self.name}-").split()
        if names:
            docker("rm", "--force", "--volumes", *names)
        docker("network", "rm", self.name, check=False)


def ask(
    connection: http.client.HTTPConnection, path: str, *, method: str = "GET", body: str | None = None, **headers: str
) -> Answer:
    """Send one request over `connection`, once, and read all of the answer."""
    named = {"Host": "site.example"} | {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body=body, headers=named)
    response = connection.getresponse()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
