"""The two steps that speak to the engine instead of running in the box: internal/docker-build and internal/docker-push."""

import os
import re
import select
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from wercker.dockerfile import base_images, with_tag
from wercker.engine import LOOK_S, Engine, EngineFailure, is_ours
from wercker.failures import RunnerFailure, StepFailed, Stopped
from wercker.pipelines import Step
from wercker.registries import LoginRefused, logged_in, registry_host
from wercker.session import SOURCE
from wercker.variables import fill_in, split_words

DIGEST = re.compile(r"digest: (sha256:[0-9a-f]{64})\b")
OPTIONS = {"build-args": "--build-arg", "labels": "--label", "extra-hosts": "--add-host"}


class ImageSteps:
    """Builds and pushes for one run; `report` gets each line of the engine's output."""

    def __init__(self, engine: Engine, container: str, report: Callable[[str], None]) -> None:
        self._engine = engine
        self._container = container
        self._report = report
        # By name, the id of what this run built: the name itself may be another run's image by the time of the push.
        self._built: dict[str, str] = {}
        # What a push sent: the one digest that stands for it whatever becomes of its tags.
        self.digest = ""

    @property
    def built(self) -> dict[str, str]:
        """Return the id of each image that this run built, by name."""
        return dict(self._built)

    def build(self, step: Step, values: Mapping[str, str], *, local: bool) -> None:
        """Send a folder of the box to the engine's classic builder; `local` pulls nothing. Raises: RunnerFailure."""
        filled = {name: fill_in(value, values) for name, value in step.properties.items()}
        image = _needed(step, filled, "image-name")
        folder = PurePosixPath(SOURCE) / filled.get("context", ".")
        if ".." in folder.parts or SOURCE not in map(str, (folder, *folder.parents)):
            raise RunnerFailure(f"step '{step.name}': the context lies outside the source directory.")
        dockerfile = filled.get("dockerfile") or "Dockerfile"
        command = ["build", "--tag", image, "--file", dockerfile]
        given = {name: split_words(filled.get(name, ""), f"step '{step.name}': {name}") for name in OPTIONS}
        for name, option in OPTIONS.items():
            for pair in given[name]:
                command += [option, pair]
        if filled.get("no-cache") == "true":
            command.append("--no-cache")
        arguments = dict(pair.partition("=")[::2] for pair in given["build-args"])
        for base in base_images(self._read(folder / dockerfile), arguments):
            self._provide(base, local=local)
        with tempfile.TemporaryDirectory(prefix="wercker-") as notes:
            note = Path(notes) / "id"
            self._send([*command, "--iidfile", str(note), "-"], folder)
            self._built[image] = note.read_text(encoding="utf-8").strip()

    def push(self, step: Step, values: Mapping[str, str], *, local: bool, remote: bool, later: bool = False) -> None:
        """Tag what was built and push it; `local` and `later` only tag. Raises: RunnerFailure, StepFailed."""
        filled = {name: fill_in(value, values) for name, value in step.properties.items()}
        if "image-name" not in filled:
            raise RunnerFailure(
                f"step '{step.name}': this runner pushes what internal/docker-build made, never the box.",
                "The box holds the variables of the run, passwords among them. Give image-name.",
            )
        repository = _needed(step, filled, "repository")
        tags = [tag for tag in re.split(r"[,\s]+", filled.get("tag", "")) if tag] or ["latest"]
        image = self._built.get(filled["image-name"], filled["image-name"])
        if local or later:
            self._tag(image, repository, tags)
            self._report("not pushed: --docker-local" if local else "not pushed yet: push-image does that")
            return
        if not filled.get("password"):
            if remote:
                raise RunnerFailure(
                    f"step '{step.name}': no password for the registry.", "Set XXX_DOCKER_HUB_PASSWORD."
                )
            self._tag(image, repository, tags)
            self._report("not pushed: a local run without a password for the registry (a remote run refuses that)")
            return
        registry = registry_host(filled.get("registry", ""), repository)
        self.send(image, repository, tags, registry, (filled.get("username", ""), filled["password"]))

    def send(self, image: str, repository: str, tags: list[str], registry: str, login: tuple[str, str]) -> None:
        """Push an image under each tag and remember its digest. Raises: StepFailed."""
        try:
            with logged_in(self._engine, registry, *login) as env:
                for tag in tags:
                    # Right before its push: another run on this engine may use the same tag.
                    self._tag(image, repository, [tag])
                    for line in self._follow(["push", f"{repository}:{tag}"], env=env):
                        if sent := DIGEST.search(line):
                            self.digest = sent[1]
        except LoginRefused as refused:
            raise StepFailed(refused.cause, refused.remedy) from refused

    def _tag(self, image: str, repository: str, tags: list[str]) -> None:
        for tag in tags:
            self._engine.call("tag", image, f"{repository}:{tag}")
            self._report(f"tagged {repository}:{tag}")

    def _read(self, dockerfile: PurePosixPath) -> str:
        try:
            return self._engine.call("exec", self._container, "cat", str(dockerfile))
        except EngineFailure as error:
            raise StepFailed(f"{dockerfile} cannot be read in the box.", error.said) from error

    def _provide(self, base: str, *, local: bool) -> None:
        """Pull a base image, as the genuine program does, unless it is made on this machine. Raises: RunnerFailure."""
        if base in self._built:
            return
        if local or is_ours(with_tag(base)):
            # The builder would pull what is missing without being asked.
            self._engine.need_image(with_tag(base), pull=False)
            return
        self._report(f"pulling the base image {base}")
        try:
            self._engine.call("pull", base)
        except EngineFailure as error:
            if not self._engine.has_image(base):
                cause = f"the base image {base} can be found neither in its registry nor on this machine."
                raise StepFailed(cause, error.said) from error
            self._report(f"{error.cause}; building on the {base} that is on this machine")

    def _send(self, command: list[str], folder: PurePosixPath) -> None:
        """Run a docker command that takes the folder as an archive. Raises: StepFailed, Stopped."""
        tar = ["docker", "exec", self._container, "tar", "-C", str(folder), "-c", "."]
        with subprocess.Popen(tar, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as packing:
            self._follow(command, stdin=packing)
        if packing.returncode != 0:
            raise StepFailed(f"the context {folder} cannot be read in the box.")

    def _follow(
        self, command: list[str], *, stdin: subprocess.Popen[bytes] | None = None, env: Mapping[str, str] | None = None
    ) -> list[str]:
        """Report what a docker command says, and return its lines. Raises: StepFailed, Stopped."""
        said: list[str] = []
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
                    said.append(line.decode(errors="replace").rstrip("\r"))
                    self._report(said[-1])
        except Stopped:
            process.terminate()
            process.wait()
            raise
        if rest:
            said.append(rest.decode(errors="replace"))
            self._report(said[-1])
        if process.wait() != 0:
            raise StepFailed(f"docker {command[0]}: status {process.returncode}")
        return said


def _needed(step: Step, filled: Mapping[str, str], name: str) -> str:
    if not filled.get(name):
        raise RunnerFailure(f"step '{step.name}': {name} is empty.", "A variable it names may not be set.")
    return filled[name]
