"""The Docker command line: calls that a signal may end, failures in plain words, files of variables instead of arguments."""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
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

    def need_image(self, reference: str, *, pull: bool) -> None:
        """Make sure of an image. Ours are built, others are pulled when allowed. Raises: RunnerFailure with the way."""
        try:
            self.call("image", "inspect", "--format", "{{.Id}}", reference)
        except EngineFailure as missing:
            if reference in OURS:
                remedy = f"Build it: bin/images {OURS[reference]}"
                raise RunnerFailure(f"the image {reference} is not on this machine.", remedy) from missing
            if not pull:
                remedy = f"docker pull {reference}, or run without --docker-local."
                raise RunnerFailure(f"the image {reference} is not on this machine.", remedy) from missing
        else:
            return
        try:
            self.call("pull", reference)
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


def explain_start(error: EngineFailure, what: str) -> RunnerFailure:
    """Turn the engine's words about a container that does not start into a cause and its remedy."""
    taken = re.search(
        r"(?:Bind for \S*?:(\d+) failed: port is already allocated)|(?::(\d+): bind: address already in use)",
        error.said,
    )
    if taken:
        port = taken[1] or taken[2]
        return RunnerFailure(
            f"port {port} of this machine is taken.",
            f"End what holds it (docker ps, ss -ltnp), or publish another: --publish {int(port) + 1}:{port}",
        )
    return RunnerFailure(f"{what} does not start.", error.said)
