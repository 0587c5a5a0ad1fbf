"""A server for the deploy's remote half without an engine: `sudo` is a program that keeps containers in a file."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.sources import ROOT

REPOSITORY = "registry.example:5000/shop/site"
WORKERS = ("worker", "signer_litecoin", "signer_ethereum", "worker_litecoin", "worker_ethereum", "beat")
# As much of a compose file as the deploy looks at; the second is of a release without signers and without users in Redis.
COMPOSE = "services:\n" + "".join(f"  {name}: {{}}\n" for name in ("app", *WORKERS, "broker", "nginx", "postgis"))
EARLIER = "services:\n" + "".join(
    f"  {name}: {{}}\n" for name in ("app", "worker", "worker_litecoin", "worker_ethereum", "beat", "redis")
)

# sudo -n [-E] PROGRAM ARGUMENTS…: as much of docker and docker-compose as a deploy asks; FAULTS says what goes wrong.
SUDO = f"""#!{sys.executable} -SE
import json, os, sys, time
from pathlib import Path

words = [word for word in sys.argv[1:] if word not in ("-n", "-E")]
program, arguments = os.path.basename(words[0]), words[1:]
home = Path(os.environ["FAKE_HOME"])
state = json.loads((home / "state").read_text())
faults = json.loads((home / "faults").read_text())
flag = Path(os.environ["NEXCHANGE_ROOT"]) / "etc/nginx/release/next"
said = ""


def leave(status=0, text=""):
    (home / "state").write_text(json.dumps(state))
    if text:
        print(text, file=sys.stderr if status else sys.stdout)
    sys.exit(status)


def bad(image, what):
    return what in faults.get(image.rpartition("@")[2], [])


def kill_deploy():
    step = os.getppid()
    deploy = int(Path(f"/proc/{{step}}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(deploy, 9)
    os.kill(step, 9)
    os._exit(1)  # the test may already look at the files


def note(text):
    with (home / "calls").open("a") as calls:
        serving = state.get("app_next" if flag.exists() else "app", {{}}).get("image", "nobody").rpartition("@")[2]
        calls.write(json.dumps([text, serving, os.environ.get("APP_IMAGE", "")]) + "\\n")


if arguments[:1] == ["--config"]:
    arguments = arguments[2:]
note(" ".join([program, *arguments]))
if program == "docker":
    verb = arguments[0]
    if verb == "version" and faults.get("engine"):
        leave(1, "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.")
    elif verb == "info":
        leave(0, str(home))
    elif verb == "login":
        (home / "password").write_text(sys.stdin.read())
        leave(*((1, "unauthorized: authentication required") if faults.get("password") else ()))
    elif verb == "pull":
        leave(*((1, faults["pull"]) if faults.get("pull") else ()))
    elif verb == "run" and "/run/keys/" in arguments[-1]:
        leave(1 if arguments[-1].endswith(faults.get("key", "?")) else 0)
    elif verb == "run" and faults.get("nginx") and "nginx" in arguments[-3:]:
        leave(1, "nginx: configuration file /etc/nginx/nginx.conf test failed")
    elif verb == "ps":
        service = arguments[-1].rpartition("=")[2]
        leave(0, service if service in state else "")
    elif verb == "image" and arguments[1] == "inspect":
        leave(*((0, "id of " + arguments[-1]) if "--format" in arguments else (1, "no such image")))
    elif verb == "container":
        one = state.get(arguments[-1])
        if one is None:
            leave(1)
        wanted = arguments[3]
        if ".Image" in wanted:
            leave(0, "id of " + one["image"])
        loops, ill = bad(one["image"], "loops"), bad(one["image"], "ill")
        health = "unhealthy" if ill else "healthy"
        if loops:
            one["restarts"] = one.get("restarts", 0) + 7
        status = "restarting" if loops else one["status"]
        restarts = one.get("restarts", faults.get("restarts", {{}}).get(arguments[-1], 0))
        values = {{"{{{{.State.Status}}}}": status, "{{{{.RestartCount}}}}": str(restarts)}}
        values["{{{{index .Config.Healthcheck.Test 1}}}}"] = "ping " + arguments[-1]
        text = wanted.replace("{{{{if .State.Health}}}}{{{{.State.Health.Status}}}}{{{{end}}}}", health)
        for name, value in values.items():
            text = text.replace(name, value)
        leave(0, text)
    elif verb == "rm":
        state.pop(arguments[-1], None)
    elif verb == "exec" and "python" in arguments:
        through_nginx = "nginx" in arguments
        service = ("app_next" if flag.exists() else "app") if through_nginx else arguments[2]
        one = state.get(service, {{"image": ""}})
        if bad(one["image"], "errors"):
            leave(1, "GET /en/ answered 500")
        leave(*((1, "the site does not answer through nginx") if through_nginx and bad(one["image"], "silent") else ()))
    elif verb == "exec" and "ping" in arguments[-1]:
        one = state[arguments[1]]
        if bad(one["image"], "tired"):  # it answers once, and has to be started again later
            one["restarts"] = one.get("restarts", 0) + 1
        leave(*((1, "Error: No nodes replied within time constraint.") if bad(one["image"], "deaf") else ()))
    leave()
image = os.environ["APP_IMAGE"]
verb, services = arguments[0], [word for word in arguments[1:] if not word.startswith("-")]
if verb == "up":
    if faults.get("port"):
        if "nginx" in services:
            state["nginx"] = {{"image": image, "status": "created", "wants": "a taken port"}}
        leave(1, "Bind for 0.0.0.0:443 failed: port is already allocated")
    if "--no-recreate" in arguments and "wants" in state.get("nginx", {{}}):
        leave(1, "Bind for 0.0.0.0:443 failed: port is already allocated")
    for service in services:
        if service.startswith("worker") and bad(image, "workers"):
            state[service] = {{"image": image, "status": "exited"}}
        elif service not in state or "--no-recreate" not in arguments:
            state[service] = {{"image": image, "status": "running"}}
elif verb == "stop":
    for service in services:
        if service in state:
            state[service]["status"] = "exited"
elif verb == "rm":
    if bad(image, "killed late"):
        kill_deploy()
    for service in services:
        state.pop(service, None)
elif verb == "run" and "release" in services:
    if bad(image, "killed"):
        kill_deploy()
    if bad(image, "told to stop"):
        step = os.getppid()
        os.kill(int(Path(f"/proc/{{step}}/stat").read_text().rpartition(")")[2].split()[1]), 15)
        time.sleep(1)
        note("the migration has ended")
    if bad(image, "migration"):
        leave(1, "django.db.utils.ProgrammingError: this migration fails on purpose")
leave()
"""


BACKUP = """! grep -q '"backup": true' "$FAKE_HOME/faults" || exit 1
echo "backup $NEXCHANGE_ROOT" >>"$FAKE_HOME/backups"
"""


def image(name: str) -> str:
    return f"{REPOSITORY}@sha256:{name}"


class FakeServer:
    """A server's folder and engine; `deploy` runs the remote half against them as bin/deploy would over ssh."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "nexchange"
        self.home, self.programs = folder / "home", folder / "programs"
        self.faults: dict[str, Any] = {}
        self.compose = COMPOSE
        if self.home.exists():
            return
        for path in (self.root / "etc/nginx/ssl", self.root / "state", self.home, self.programs):
            path.mkdir(parents=True)
        for name, text in (("sudo", SUDO), ("sleep", "#!/bin/sh\nexec /bin/sleep 0.02\n")):
            (self.programs / name).write_text(text)
            (self.programs / name).chmod(0o755)
        (self.home / "state").write_text("{}")

    def copy(self, folder: Path) -> "FakeServer":
        """Return another server with the same files and containers."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return FakeServer(folder)

    def stage(self, commit: str, nginx: str) -> Path:
        stage = self.root / "state" / f"incoming-1-{commit}"
        (stage / "bin").mkdir(parents=True)
        (stage / "bin" / "backup").write_text(BACKUP)
        (stage / "nginx.conf").write_text(nginx)
        (stage / "docker-compose.yml").write_text(self.compose)
        return stage

    def deploy(self, commit: str, *, nginx: str = "one", **variables: str) -> subprocess.CompletedProcess[str]:
        stage = self.stage(commit, nginx)
        (self.home / "faults").write_text(json.dumps(self.faults))
        given = {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "FAKE_HOME": str(self.home),
            "NEXCHANGE_ROOT": str(self.root),
            "DOCKER_HUB_REPO": REPOSITORY,
            "DOCKER_HUB_USER": "pusher",
            "DOCKER_HUB_PASSWORD": "hub $HOME #1",
            "APP_IMAGE": image(commit),
            "ALLOWED_HOSTS": "exchange.example",
            "DRAIN_SECONDS": "0",
            "HEALTH_SECONDS": "3",
            "DEPLOY_NEEDED_MB": "1",
            "GUNICORN_PORT": "8000",
            "PORTS_PARAM": "-p 80:80 -p 443:443",
            "REGISTRY_HOST": "registry.example:5000",
            "APP_DB_PASSWORD": "of the app",
            "SECRET_KEY": "secret $HOME #1 'x' \"y\"",
            **{f"NEW_{name}_IMAGE": image(name.lower()) for name in ("NGINX", "POSTGIS", "REDIS")},
        }
        names = "ALLOWED_HOSTS DRAIN_SECONDS GUNICORN_PORT SECRET_KEY DATABASE_CONTAINER LOG_LEVEL"
        names += " REDIS_USERS APP_DB_PASSWORD RENEW_SECONDS API_REQUESTS_PER_MINUTE PROXY_NETWORKS"
        head = f"SITE_NAMES='{names}'\nSTAGE='{stage}'\nCOMMIT={commit}\n"
        parts = "".join(path.read_text() for path in sorted((ROOT / "bin/lib/deploy/server").glob("*.sh")))
        return subprocess.run(
            ["bash", "-s"],
            input=f"{head}{parts}deploy_here </dev/null; exit $?\n",
            env=given | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def calls(self) -> list[tuple[str, str]]:
        """Return what was asked of the engine so far and which image served at that moment."""
        return [(call, served) for call, served, _ in self._noted()]

    def started(self) -> list[tuple[str, str]]:
        """Return what was asked of the engine so far and the image that it was asked with."""
        return [(call, given) for call, _, given in self._noted()]

    def _noted(self) -> list[tuple[str, str, str]]:
        return [tuple(json.loads(line)) for line in (self.home / "calls").read_text().splitlines()]

    def change(self, service: str, **facts: Any) -> None:
        """Let a container be in another state than a deploy left it in."""
        state = self.containers()
        state[service] |= facts
        (self.home / "state").write_text(json.dumps(state))

    def forget_calls(self) -> None:
        (self.home / "calls").unlink(missing_ok=True)

    def forget_leftovers(self) -> None:
        """Let what a killed deploy uploaded be old enough to be removed; younger files may be of one that waits."""
        for left in (self.root / "state").glob("incoming-*"):
            os.utime(left, (0, 0))

    def containers(self) -> dict[str, dict[str, str]]:
        return json.loads((self.home / "state").read_text())

    def text(self, path: str) -> str:
        return (self.root / path).read_text()
