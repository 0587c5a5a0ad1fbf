"""A rehearsal's target server for tests: a container of its own name and addresses, and bin/provision run against it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("engine", "base", "rehearse/network", "rehearse/target", "rehearse/certificates", "rehearse/acme")

# Scripts for Server.bash: every image that is not there yet, and a new server; nginx as it serves on one.
PREPARE = """
ensure_engine
for name in nexchange/target onitsoft/nginx redis nexchange/acme; do
    if ! docker image inspect "$name:latest"; then bin/images "${name#*/}" --base "${BASE_IMAGE:-debian:bookworm-slim}"; fi
done
start_network
start_target
ensure_ca
"""
RUN_NGINX = """
docker cp nginx.conf "$TARGET:/nexchange/etc/nginx/nginx.conf"
target_docker network create front
target_docker run -d --name nexchange_nginx_1 --label com.docker.compose.project=nexchange \\
    --label com.docker.compose.service=nginx --network front -p 80:80 -p 443:443 --tmpfs /run \\
    -v /nexchange/etc/nginx:/etc/nginx:ro -v /nexchange/letsencypt:/etc/letsencrypt -v /nexchange/acme:/var/www/acme \\
    onitsoft/nginx:latest
wait_for 30 nginx curl --silent "http://$TARGET_IP/"
"""


@dataclass
class Server:
    """The parts of bin/lib/rehearse with names of this test's own, so that a rehearsal beside it is not disturbed."""

    home: Path
    name: str = f"nexchange-test-{os.getpid()}"
    prefix: str = f"10.214.{os.getpid() % 250}"
    variables: dict[str, str] = field(init=False)

    def __post_init__(self):
        self.variables = {"REHEARSAL": self.name, "REHEARSAL_PREFIX": self.prefix, "REHEARSAL_DIR": str(self.home)}

    @property
    def address(self):
        return f"{self.prefix}.3"

    def bash(self, script, *, check=True):
        """Run a script in which the rehearsal's functions are known."""
        parts = "".join(f"source bin/lib/{part}.sh\n" for part in PARTS)
        text = f"source {ROOT}/bin/lib/steps.sh\n{parts}{script}"
        done = run(["bash", "-c", text], env={**os.environ, **self.variables}, cwd=ROOT, timeout=600)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def inside(self, script, *, check=True):
        """Run a script on the server, as root, without ssh."""
        done = run(["docker", "exec", f"{self.name}-target", "bash", "-c", script], timeout=120)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def provision(self, *options):
        """Run bin/provision as root's key allows it; returns the finished process."""
        known = ("--key", self.home / "root_key", "--known-hosts", self.home / "known_hosts")
        return provision(self.address, *known, *options)

    @contextmanager
    def fake(self, path, text) -> Iterator[None]:
        """Put other words into a file of the server for a while; what was there comes back as it was."""
        self.inside(f"[[ ! -e {path} ]] || mv {path} /root/kept")
        try:
            run(
                ["docker", "exec", "-i", f"{self.name}-target", "sh", "-c", f"cat >{path}; chmod 755 {path}"],
                input=text,
            )
            yield
        finally:
            self.inside(f"rm {path}; [[ ! -e /root/kept ]] || mv /root/kept {path}")

    def sign_in(self, key, command, user="wercker"):
        """Run a command over ssh, as a pipeline would."""
        options = (
            "-o",
            "BatchMode=yes",
            "-o",
            f"UserKnownHostsFile={self.home}/known_hosts",
            "-o",
            "IdentitiesOnly=yes",
        )
        return run(["ssh", "-n", "-i", str(key), *options, f"{user}@{self.address}", command], timeout=60)

    def state(self):
        """Return what the server is: its packages, users, and every file below /etc, /home and /nexchange."""
        return self.inside(
            "dpkg -l; cat /etc/passwd; find /etc /home /nexchange -printf '%p %m %u %s %l\\n' 2>/dev/null | sort; true"
        )


def run(command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)


def provision(*arguments):
    return run(["bin/provision", *arguments], cwd=ROOT, timeout=600, stdin=subprocess.DEVNULL)


def make_certificate(folder, *, days=30):
    """Write a self-signed certificate and its key as a buyer would have them; negative days have passed already."""
    folder.mkdir(parents=True, exist_ok=True)
    key, request = folder / "privkey.pem", folder / "request.pem"
    for command in (
        ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key],
        ["openssl", "req", "-new", "-key", key, "-subj", "/CN=site.example", "-out", request],
        ["openssl", "x509", "-req", "-in", request, "-signkey", key, "-days", days, "-out", folder / "fullchain.pem"],
    ):
        assert run(command).returncode == 0
    return folder


def make_key(path):
    """Make a key pair for ssh; returns the private half's path."""
    assert run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", path]).returncode == 0
    return path
