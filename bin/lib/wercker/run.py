"""One run of one pipeline: network, services, box, steps, output; everything it started is gone afterwards."""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wercker.engine import Engine, EngineFailure, env_file, explain_start
from wercker.failures import RunnerFailure, StepFailed
from wercker.ignored import pack
from wercker.images import ImageSteps
from wercker.output import Printer
from wercker.ownership import give_back, take_cache
from wercker.pipelines import Pipeline, Step
from wercker.registries import image_name, need_image
from wercker.services import describe_service, start_service
from wercker.session import SOURCE, Session
from wercker.variables import fill_in

PIPELINE_ROOT = "/pipeline"
FOLDERS = ("source", "output", "cache", "steps")
LAST_WORDS = 20  # lines of a service's log shown when a step fails
KEPT_RUNS = 3
DIGEST = "DIGEST"  # in a build's output: the digest of the image that was pushed for it
BUILT = "built.json"  # beside the output, where no step writes: the id of each image that the run built


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says about a run."""

    tree: Path
    mounted: bool = False
    publish: tuple[str, ...] = ()
    docker_local: bool = False
    push_later: bool = False
    artifacts: bool = False
    remote: bool = False
    exports: Mapping[str, str] = field(default_factory=dict)


class Run:
    """Runs a pipeline from start to end."""

    def __init__(
        self, engine: Engine, printer: Printer, pipeline: Pipeline, values: Mapping[str, str], options: Options
    ) -> None:
        self.id = secrets.token_hex(8)
        self.state = Path.cwd() / ".wercker"
        self._engine = engine
        self._printer = printer
        self._pipeline = pipeline
        self._values = dict(values)
        self._options = options
        self._network = f"wercker-{self.id}"
        self._box = f"wercker-pipeline-{self.id}"
        self._containers: list[str] = []
        self._session: Session | None = None
        self._images = ImageSteps(engine, self._box, printer.line)
        self._times: list[tuple[str, float, str]] = []

    def execute(self) -> None:
        """Run every step; keep the output when asked. Raises: RunnerFailure, StepFailed, Stopped."""
        began = time.monotonic()
        say = self._printer.heading
        say(f"pipeline {self._pipeline.name}, run {self.id}")
        try:
            self._set_up()
            self._run_steps()
            if self._options.artifacts:
                self._keep_output()
        finally:
            self._engine.interrupts.ignore()
            self._tear_down()
            self._engine.interrupts.listen()
        for name, took_s, word in self._times:
            say(f"  {took_s:7.1f} s  {word}  {name}")
        say(f"pipeline {self._pipeline.name} passed in {time.monotonic() - began:.1f} s")

    def _set_up(self) -> None:
        began = time.monotonic()
        images = [self._pipeline.box, *self._pipeline.services]
        for image in images:
            need_image(self._engine, image, self._values, pull=not self._options.docker_local)
        self._engine.call("network", "create", "--label", f"wercker={self.id}", self._network)
        described: dict[str, str] = {}
        for service in self._pipeline.services:
            self._containers.append(f"wercker-service-{service.name}-{self.id}")
            container = start_service(self._engine, service, run=self.id, network=self._network, values=self._values)
            described |= describe_service(self._engine, container, service, network=self._network)
        self._start_box()
        if not self._options.mounted:
            self._copy_source()
        self._session = Session(self._engine, self._box, self._printer.line, self._pipeline.limits)
        self._session.begin({**described, **self._own_variables(), **self._values, **self._options.exports})
        self._note_step("set up", began, "done  ")

    def _start_box(self) -> None:
        box = self._pipeline.box
        cache = self.state / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        command = ["create", "--init", "--interactive", "--name", self._box, "--network", self._network]
        command += ["--volume", f"{cache}:{PIPELINE_ROOT}/cache", "--entrypoint", "bash"]
        if self._options.mounted:
            command += ["--volume", f"{self._options.tree}:{SOURCE}"]
        ports = (*box.ports, *self._options.publish)
        for port in ports:
            command += ["--publish", port if ":" in port else f"{port}:{port}"]
        folders = " ".join(f"{PIPELINE_ROOT}/{name}" for name in FOLDERS)
        self._containers.append(self._box)
        with env_file({name: fill_in(value, self._values) for name, value in box.env.items()}) as file:
            image = image_name(box, self._values)
            begin = f"mkdir -p {folders}; chmod 700 {PIPELINE_ROOT}/steps; exec sleep infinity"
            self._engine.call(*command, "--env-file", str(file), image, "-c", begin)
        try:
            self._engine.call("start", self._box)
        except EngineFailure as error:
            raise explain_start(error, "the box", ports) from error
        ready = f"until [ -d {PIPELINE_ROOT}/steps ]; do sleep 0.05; done"
        self._engine.call("exec", self._box, "bash", "-c", ready)
        try:
            take_cache(self._engine, self._box)
        except EngineFailure as error:  # a disk without owners: slower, and no reason to stop
            self._printer.heading(f"some programs may not use {cache}, which is not the box's root's: {error.said}")

    def _copy_source(self) -> None:
        reading, writing = os.pipe()
        copying = self._engine.start("cp", "-", f"{self._box}:{PIPELINE_ROOT}", stdin=reading)
        os.close(reading)
        count = 0
        try:
            with contextlib.suppress(BrokenPipeError), os.fdopen(writing, "wb") as into:
                count = pack(self._options.tree, into=into, folder="source")
        finally:
            said, _ = copying.communicate()
        if copying.returncode != 0:
            raise RunnerFailure("the tree cannot be copied into the box.", said.decode(errors="replace"))
        self._printer.heading(f"copied {count} files into the box")

    def _own_variables(self) -> dict[str, str]:
        return {
            "WERCKER": "true",
            "CI": "true",
            "TERM": "xterm-256color",
            "WERCKER_ROOT": PIPELINE_ROOT,
            "WERCKER_SOURCE_DIR": SOURCE,
            "WERCKER_OUTPUT_DIR": f"{PIPELINE_ROOT}/output",
            "WERCKER_CACHE_DIR": f"{PIPELINE_ROOT}/cache",
            "WERCKER_RUN_ID": self.id,
            "WERCKER_PIPELINE": self._pipeline.name,
            **{name: _git(self._options.tree, name) for name in ("WERCKER_GIT_COMMIT", "WERCKER_GIT_BRANCH")},
            **({"WERCKER_REMOTE": "true"} if self._options.remote else {}),
        }

    def _run_steps(self) -> None:
        total = len(self._pipeline.steps)
        for at, step in enumerate(self._pipeline.steps, start=1):
            self._printer.heading(f"step {at} of {total}: {step.name}")
            began = time.monotonic()
            try:
                self._run_step(step)
            except StepFailed as failure:
                self._note_step(step.name, began, "failed")
                self._show_services()
                cause = f"{self._pipeline.name}: the step '{step.name}' failed: {failure.cause}"
                raise StepFailed(cause, failure.remedy) from failure
            self._note_step(step.name, began, "done  ")

    def _run_step(self, step: Step) -> None:
        if self._session is None:
            raise AssertionError("steps run after the set-up")
        if step.kind == "script":
            self._session.run_step(step.properties["code"])
        elif step.kind == "internal/watch":
            self._session.run_watch(step.properties["code"])
        else:
            values, local = self._session.variables(), self._options.docker_local
            if step.kind == "internal/docker-build":
                self._images.build(step, values, local=local)
            else:
                later = self._options.push_later
                self._images.push(step, values, local=local, remote=self._options.remote, later=later)

    def _note_step(self, name: str, began: float, word: str) -> None:
        took_s = time.monotonic() - began
        self._times.append((name, took_s, word))
        self._printer.heading(f"{word.strip()}: {name} ({took_s:.1f} s)")

    def _show_services(self) -> None:
        for container in self._containers:
            if container == self._box:
                continue
            logs = self._engine.start("logs", "--tail", str(LAST_WORDS), container, stdin=subprocess.DEVNULL)
            told, _ = logs.communicate()
            self._printer.heading(f"last words of {container}")
            for line in told.decode(errors="replace").splitlines():
                self._printer.line(line)

    def _keep_output(self) -> None:
        runs = self.state / "runs"
        kept = runs / self.id
        (kept / "output").mkdir(parents=True)
        kept.chmod(0o700)
        self._engine.call("cp", f"{self._box}:{PIPELINE_ROOT}/output/.", str(kept / "output"))
        # By the runner's own knowledge, whatever the steps have left there.
        note_digest(kept / "output", self._images.digest)
        (kept / BUILT).write_text(json.dumps(self._images.built), encoding="utf-8")
        new = self.state / f"latest.{self.id}"
        new.symlink_to(kept.relative_to(self.state))
        new.replace(self.state / "latest")
        for old in sorted(runs.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT_RUNS]:
            shutil.rmtree(old)
        self._printer.heading(f"output kept in {(self.state / 'latest' / 'output').relative_to(Path.cwd())}")

    def _tear_down(self) -> None:
        if self._session is not None:
            self._session.close()
        self._give_back()
        # All at once: each removal takes its time.
        removals = [threading.Thread(target=self._remove, args=(["rm", "-fv", name],)) for name in self._containers]
        for removal in removals:
            removal.start()
        for removal in removals:
            removal.join()
        self._remove(["network", "rm", self._network])

    def _give_back(self) -> None:
        """Let what the box's root wrote into the mounted folders belong to their owner, however the run ended."""
        if self._box not in self._containers:
            return
        try:
            give_back(self._engine, self._box, tree=self._options.mounted)
        except EngineFailure as error:
            if "No such" not in error.said and "not running" not in error.said:  # it was never started
                self._printer.heading(f"files in {self._options.tree} may belong to root now: {error.said}")

    def _remove(self, command: list[str]) -> None:
        try:
            self._engine.call(*command)
        except EngineFailure as error:
            if "No such" not in error.said and "not found" not in error.said:  # it was never made
                self._printer.heading(f"could not clean up: {error.said}")


def note_digest(output: Path, digest: str) -> None:
    """Let a build's output say which image was pushed for it, or that none was."""
    file = output / DIGEST
    if file.is_symlink() or file.exists():
        file.unlink()
    if digest:
        file.write_text(f"{digest}\n", encoding="utf-8")


def _git(tree: Path, name: str) -> str:
    """The commit or branch of the tree, unless the caller has said it (a hook's checkout has no history)."""
    if given := os.environ.get(name):
        return given
    question = {
        "WERCKER_GIT_COMMIT": ("rev-parse", "HEAD"),
        "WERCKER_GIT_BRANCH": ("rev-parse", "--abbrev-ref", "HEAD"),
    }
    try:
        asked = subprocess.run(["git", "-C", str(tree), *question[name]], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""
