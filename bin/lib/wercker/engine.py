"""The Docker command line: calls that a signal may end, failures in plain words, files of variables instead of arguments."""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from wercker.failures import RunnerFailure, Stopped
from wercker.interrupts import Interrupts

LOOK_S = 0.2  # how soon a signal is noticed
PROGRAM = "docker"
# Images that bin/images makes. A registry may hold others under the same names: those are never pulled.
OURS = {
    "pitervergara/geodjango:nexchange": "box",
    "mdillon/postgis:latest": "postgis",
    "onitsoft/nginx:latest": "nginx",
    "redis:latest": "redis",
    "nexchange/chains:latest": "chains",
}
# bin/lib/base.sh makes it from Debian's packages, where no registry can be asked.
BASE = "nexchange/base:bookworm"
# In the words of several generations of the engine; an address may be IPv6, which holds colons itself.
ADDRESS = r"(?:\[[^\]\s]*\]|[\d.]*)"
PORT_TAKEN = (
    re.compile(rf"Bind for {ADDRESS}:(?P<port>\d+) failed: port is already allocated"),
    re.compile(r":(?P<port>\d+): bind: address already in use"),
    re.compile(rf"failed to bind host port (?:for )?{ADDRESS}:(?P<port>\d+)\S*: address already in use"),
)


class EngineFailure(RunnerFailure):
    """A docker call failed; `said` is what it printed on its error stream."""

    def __init__(self, cause: str, remedy: str = "", said: str = "") -> None:
        super().__init__(cause, remedy)
        self.said = said


class Engine:
    """The local Docker engine. Every call runs in a session of its own, so that Ctrl-C reaches this program alone."""

    def __init__(self, interrupts: Interrupts) -> None:
        self.interrupts = interrupts

    def start(
        self, *arguments: str, stdin: int | IO[bytes], env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a docker command whose output comes through a pipe, standard error among it."""
        return subprocess.Popen(
            [PROGRAM, *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "DOCKER_BUILDKIT": "0", **(env or {})},
        )

    def call(self, *arguments: str, given: bytes = b"", env: Mapping[str, str] | None = None) -> str:
        """Run a docker command to its end and return its output. Raises: EngineFailure, Stopped."""
        process = subprocess.Popen(
            [PROGRAM, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "DOCKER_BUILDKIT": "0", **(env or {})},
        )
        to_write: bytes | None = given
        while True:
            try:
                told, said = process.communicate(to_write, timeout=LOOK_S)
                break
            except subprocess.TimeoutExpired:
                to_write = None
                self._end_if_stopped(process)
        if process.returncode != 0:
            text = said.decode(errors="replace").strip()
            raise EngineFailure(f"docker {arguments[0]} failed: {text.splitlines()[-1] if text else '?'}", said=text)
        return told.decode(errors="replace")

    def check(self) -> None:
        """Raise RunnerFailure when there is no client or no engine answers."""
        try:
            self.call("version", "--format", "{{.Server.Version}}")
        except FileNotFoundError as error:
            raise RunnerFailure("there is no Docker here.", "apt-get install -y docker.io") from error
        except EngineFailure as error:
            raise RunnerFailure(
                "no Docker engine answers.",
                "Start it (systemctl start docker), or let your user reach its socket (group docker).\n" + error.said,
            ) from error

    def has_image(self, reference: str) -> bool:
        """Say whether the image is on this machine. Raises: Stopped."""
        try:
            self.call("image", "inspect", "--format", "{{.Id}}", reference)
        except EngineFailure:
            return False
        return True

    def need_image(self, reference: str, *, pull: bool, env: Mapping[str, str] | None = None) -> None:
        """Make sure of an image. Ours are built, others are pulled when allowed. Raises: RunnerFailure with the way."""
        if self.has_image(reference):
            return
        if is_ours(reference) or not pull:
            raise RunnerFailure(f"the image {reference} is not on this machine.", _way_to(reference))
        try:
            self.call("pull", reference, env=env)
        except EngineFailure as error:
            raise RunnerFailure(
                f"the image {reference} can be found neither here nor in its registry.", error.said
            ) from error

    def inspect(self, name: str) -> Any:
        """Return what the engine knows about a container, an image or a network."""
        return json.loads(self.call("inspect", name))[0]

    def _end_if_stopped(self, process: subprocess.Popen[bytes]) -> None:
        try:
            self.interrupts.check()
        except Stopped:
            process.terminate()
            process.communicate()
            raise


@contextmanager
def env_file(values: Mapping[str, str]) -> Iterator[Path]:
    """Lend a 0600 file for --env-file; its format has no way to write a newline. Raises: RunnerFailure for one."""
    for name, value in values.items():
        if "\n" in value:
            raise RunnerFailure(f"{name}: a container's own variables cannot hold a line break.", "Write \\n instead.")
    with tempfile.TemporaryDirectory(prefix="wercker-") as folder:
        file = Path(folder) / "env"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
        yield file


def is_ours(reference: str) -> bool:
    """Say whether an image is made here: whoever has its name in a registry must not get into our builds."""
    return reference in OURS or reference == BASE


def explain_start(error: EngineFailure, what: str, published: Sequence[str] = ()) -> RunnerFailure:
    """Turn the engine's words about a container that does not start into a cause and its remedy."""
    for words in PORT_TAKEN:
        if taken := words.search(error.said):
            port = taken["port"]
            return RunnerFailure(
                f"port {port} of this machine is taken.",
                f"End what holds it (docker ps, ss -ltnp), or publish another: --publish {_beside(port, published)}",
            )
    return RunnerFailure(f"{what} does not start.", error.said)


def _way_to(reference: str) -> str:
    if reference in OURS:
        return f"Build it: bin/images {OURS[reference]}"
    if reference == BASE:
        return "Let root build it: ensure_base of bin/lib/base.sh, which bin/rehearse calls."
    return f"docker pull {reference}, or run without --docker-local."


def _beside(port: str, published: Sequence[str]) -> str:
    """The next port of this machine, for the port of the container that was asked for."""
    for asked in published:
        *address, host, inside = f"{asked}:{asked}".split(":") if ":" not in asked else asked.split(":")
        if host.partition("/")[0] == port:
            return ":".join([*address, str(int(port) + 1), inside])
    return f"{int(port) + 1}:{port}"
