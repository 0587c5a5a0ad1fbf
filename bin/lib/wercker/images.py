"""The two steps that speak to the engine instead of running in the box: internal/docker-build and internal/docker-push."""

import os
import re
import select
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from wercker.engine import LOOK_S, Engine, EngineFailure
from wercker.failures import RunnerFailure, StepFailed, Stopped
from wercker.pipelines import Step
from wercker.session import SOURCE
from wercker.variables import fill_in

HUB = "https://index.docker.io/v1/"


class ImageSteps:
    """Builds and pushes for one run; `report` gets each line of the engine's output."""

    def __init__(self, engine: Engine, container: str, report: Callable[[str], None]) -> None:
        self._engine = engine
        self._container = container
        self._report = report

    def build(self, step: Step, values: Mapping[str, str]) -> None:
        """Send a folder of the box to the engine's classic builder. Raises: RunnerFailure, StepFailed."""
        filled = {name: fill_in(value, values) for name, value in step.properties.items()}
        image = _needed(step, filled, "image-name")
        folder = PurePosixPath(SOURCE) / filled.get("context", ".")
        if ".." in folder.parts or SOURCE not in map(str, (folder, *folder.parents)):
            raise RunnerFailure(f"step '{step.name}': the context lies outside the source directory.")
        command = ["build", "--tag", image, "--file", filled.get("dockerfile", "Dockerfile")]
        for option, name in (("--build-arg", "build-args"), ("--label", "labels"), ("--add-host", "extra-hosts")):
            for pair in shlex.split(filled.get(name, "")):
                command += [option, pair]
        if filled.get("no-cache") == "true":
            command.append("--no-cache")
        tar = ["docker", "exec", self._container, "tar", "-C", str(folder), "-c", "."]
        with subprocess.Popen(tar, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as packing:
            self._follow([*command, "-"], stdin=packing)
        if packing.returncode != 0:
            raise StepFailed(f"the context {folder} cannot be read in the box.")

    def push(self, step: Step, values: Mapping[str, str], *, local: bool, remote: bool) -> None:
        """Tag what was built and push it; `local` only tags. Raises: RunnerFailure, StepFailed."""
        filled = {name: fill_in(value, values) for name, value in step.properties.items()}
        if "image-name" not in filled:
            raise RunnerFailure(
                f"step '{step.name}': this runner pushes what internal/docker-build made, never the box.",
                "The box holds the variables of the run, passwords among them. Give image-name.",
            )
        repository = _needed(step, filled, "repository")
        tags = [tag for tag in re.split(r"[,\s]+", filled.get("tag", "")) if tag] or ["latest"]
        for tag in tags:
            self._engine.call("tag", filled["image-name"], f"{repository}:{tag}")
            self._report(f"tagged {repository}:{tag}")
        if local:
            self._report("not pushed: --docker-local")
            return
        if not filled.get("password"):
            if remote:
                raise RunnerFailure(
                    f"step '{step.name}': no password for the registry.", "Set XXX_DOCKER_HUB_PASSWORD."
                )
            self._report("not pushed: a local run without a password for the registry (a remote run refuses that)")
            return
        # Credentials of this push alone: they are gone with the folder.
        with tempfile.TemporaryDirectory(prefix="wercker-") as config:
            env = {"DOCKER_CONFIG": config}
            self._login(filled, env, _registry(filled.get("registry", ""), repository))
            for tag in tags:
                self._follow(["push", f"{repository}:{tag}"], env=env)

    def _login(self, filled: Mapping[str, str], env: Mapping[str, str], registry: str) -> None:
        given = filled["password"].encode()
        command = ["login", "--username", filled.get("username", ""), "--password-stdin", registry]
        try:
            self._engine.call(*command, given=given, env=env)
        except EngineFailure as error:
            raise StepFailed(f"the registry {registry} refuses the login.", error.said) from error

    def _follow(
        self, command: list[str], *, stdin: subprocess.Popen[bytes] | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        given = subprocess.DEVNULL if stdin is None or stdin.stdout is None else stdin.stdout
        process = self._engine.start(*command, stdin=given, env=env)
        if process.stdout is None:
            raise AssertionError("started with a pipe")
        rest = b""
        try:
            while True:
                self._engine.interrupts.check()
                if not select.select([process.stdout], [], [], LOOK_S)[0]:
                    continue
                if not (chunk := os.read(process.stdout.fileno(), 65536)):
                    break
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._report(line.decode(errors="replace").rstrip("\r"))
        except Stopped:
            process.terminate()
            process.wait()
            raise
        if rest:
            self._report(rest.decode(errors="replace"))
        if process.wait() != 0:
            raise StepFailed(f"docker {command[0]}: status {process.returncode}")


def _needed(step: Step, filled: Mapping[str, str], name: str) -> str:
    if not filled.get(name):
        raise RunnerFailure(f"step '{step.name}': {name} is empty.", "A variable it names may not be set.")
    return filled[name]


def _registry(given: str, repository: str) -> str:
    """The registry to log in at: the property without its scheme, else the host a repository begins with."""
    if given:
        return given if given == HUB else re.sub(r"^https?://|/v\d+/?$", "", given).rstrip("/")
    first, slash, _ = repository.partition("/")
    return first if slash and (re.search(r"[.:]", first) or first == "localhost") else HUB
