"""The command line of bin/wercker: which pipeline runs on which tree with which variables."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from wercker.engine import Engine
from wercker.failures import RunnerFailure, Stopped
from wercker.images import ImageSteps
from wercker.interrupts import Interrupts
from wercker.output import Printer
from wercker.pipelines import Config, check_steps, check_workflow, read_config
from wercker.registries import registry_host
from wercker.run import BUILT, Options, Run, note_digest
from wercker.variables import check_target_file, collect_variables, read_variables

OUTPUT = Path(".wercker/latest/output")
TRACKED = Path("ENVIRONMENT")
PUSHES = ("DOCKER_HUB_REPO", "DOCKER_HUB_USER", "DOCKER_HUB_PASSWORD", "DOCKER_IMAGE_TAG")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"error: {message}\n")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; an unknown flag prints the usage and exits with 2."""
    parser = _Parser(prog="wercker", description="Runs the pipelines of wercker.yml in containers.", allow_abbrev=False)
    parser.add_argument(
        "--environment", type=Path, metavar="FILE", help="variables of a target; the run is then remote"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("check-config", help="say what wercker.yml holds and what is wrong with it", allow_abbrev=False)
    for name, text in (
        ("dev", "mount the tree into the box and serve it; Ctrl-C ends it"),
        ("build", "copy the tree into the box and run the pipeline build, or another"),
        ("deploy", "run the pipeline deploy on the output that build kept"),
        ("workflow", "run the pipelines of a workflow one after another"),
    ):
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        if name == "workflow":
            command.add_argument("workflow", metavar="NAME")
        else:
            command.add_argument("--pipeline", default=name, metavar="NAME", help="another pipeline than %(default)s")
        command.add_argument(
            "--publish", action="append", default=[], metavar="[HOST:]CONTAINER", help="publish a port"
        )
        command.add_argument("--docker-local", action="store_true", help="neither pull nor push an image")
        command.add_argument(
            "--push-later", action="store_true", help="push nothing; push-image does, of the kept output"
        )
        command.add_argument("--artifacts", action="store_true", help=f"keep the output in {OUTPUT}")
        command.add_argument("--direct-mount", action="store_true", help="mount the tree instead of copying it")
        if name in ("deploy", "workflow"):
            command.add_argument(
                "--deploy-target", default="", metavar="NAME", help="becomes WERCKER_DEPLOYTARGET_NAME"
            )
    text = "push the image that build --artifacts --push-later kept, and note its digest in the output"
    push = commands.add_parser("push-image", help=text, description=text, allow_abbrev=False)
    push.add_argument("--image", default="nexchange/app", metavar="NAME", help="its name in wercker.yml: %(default)s")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status; each failure reads as a cause and a remedy."""
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr] # a stream of text
    asked = parse_arguments(arguments)
    interrupts = Interrupts()
    interrupts.listen()
    printer = Printer({}, interrupts)
    try:
        config = read_config(Path.cwd() / "wercker.yml")
        if asked.command == "check-config":
            return check_config(config, printer)
        for warning in config.warnings:
            printer.heading(f"WARNING: {warning}")
        if asked.command == "push-image":
            return push_image(asked, interrupts)
        names = _pipelines_of(asked, config)
        for name in names:
            check_steps(config.pipelines[name])
        remote = asked.environment is not None or "deploy" in names or _in_ci(asked.command)
        variables = collect_variables(os.environ, _read_file(asked.environment, remote=remote))
        printer = Printer(variables.secrets, interrupts)
        if remote and "deploy" not in names[:1] and _has_uncommitted_changes():
            printer.heading(
                "WARNING: the tree holds changes that are in no commit; the image is tagged with the last commit"
            )
        engine = Engine(interrupts)
        engine.check()
        for name in names:
            options = _options(asked, name, remote=remote, in_workflow=len(names) > 1)
            Run(engine, printer, config.pipelines[name], variables.values, options).execute()
    except Stopped as stopped:
        printer.heading(f"stopped (signal {stopped.number}); its containers are removed")
        return 128 + stopped.number
    except RunnerFailure as failure:
        printer.error(f"\nerror: {failure.cause}")
        for line in failure.remedy.splitlines():
            printer.error(f"       {line}")
        return 1
    return 0


def push_image(asked: argparse.Namespace, interrupts: Interrupts) -> int:
    """Push by the id that the build noted, as TAG-COMMIT; no pipeline runs. Raises: RunnerFailure, Stopped."""
    variables = collect_variables(os.environ, _read_file(asked.environment, remote=True))
    printer = Printer(variables.secrets, interrupts)
    values = {name: variables.values.get(name, "") for name in PUSHES}
    if missing := [name for name, value in values.items() if not value]:
        raise RunnerFailure(f"not set: {', '.join(missing)}.", "A push needs the registry's variables of a target.")
    output = (Path.cwd() / OUTPUT).resolve()
    try:
        built = json.loads((output.parent / BUILT).read_text(encoding="utf-8"))[asked.image]
        commit = (output / "COMMIT").read_text(encoding="utf-8").strip()
    except (OSError, ValueError, KeyError) as error:
        raise RunnerFailure(
            f"no build of {asked.image} is kept in {OUTPUT}.", "First: bin/wercker build --artifacts --push-later"
        ) from error
    engine = Engine(interrupts)
    engine.check()
    images = ImageSteps(engine, "", printer.line)
    repository, user, password, tag = values.values()
    images.send(built, repository, [f"{tag}-{commit}"], registry_host("", repository), (user, password))
    note_digest(output, images.digest)
    printer.heading(f"pushed {repository}@{images.digest or 'nothing that the registry named a digest of'}")
    return 0 if images.digest else 1


def check_config(config: Config, printer: Printer) -> int:
    """Print what the file holds; 1 when a property gets lost or a step is not known."""
    mistakes = list(config.warnings)
    for pipeline in config.pipelines.values():
        printer.line(f"{pipeline.name}: {len(pipeline.steps)} steps in {pipeline.box.reference}")
        try:
            check_steps(pipeline)
        except RunnerFailure as failure:
            mistakes.append(failure.cause)
    for name, wanted in config.workflows.items():
        printer.line(f"workflow {name}: {' -> '.join(wanted)}")
        try:
            check_workflow(name, wanted)
        except RunnerFailure as failure:
            mistakes.append(failure.cause)
    for mistake in mistakes:
        printer.error(f"error: {mistake}")
    return 1 if mistakes else 0


def _pipelines_of(asked: argparse.Namespace, config: Config) -> tuple[str, ...]:
    if asked.command == "workflow":
        if asked.workflow not in config.workflows:
            raise RunnerFailure(f"there is no workflow {asked.workflow}.", f"There are: {', '.join(config.workflows)}")
        check_workflow(asked.workflow, config.workflows[asked.workflow])
        return config.workflows[asked.workflow]
    if asked.pipeline not in config.pipelines:
        raise RunnerFailure(f"there is no pipeline {asked.pipeline}.", f"There are: {', '.join(config.pipelines)}")
    return (asked.pipeline,)


def _in_ci(command: str) -> bool:
    """A build server says CI=true; somebody who develops there all the same means `dev`."""
    return command != "dev" and os.environ.get("WERCKER_REMOTE", os.environ.get("CI", "")) in ("true", "1")


def _has_uncommitted_changes() -> bool:
    try:
        asked = subprocess.run(["git", "status", "--porcelain"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return asked.returncode == 0 and bool(asked.stdout)


def _read_file(given: Path | None, *, remote: bool) -> dict[str, str]:
    """A remote run never reads the tracked ENVIRONMENT: what it holds is public."""
    if given is not None:
        check_target_file(given)
        return read_variables(given)
    if remote or not TRACKED.is_file():
        return {}
    return read_variables(TRACKED)


def _options(asked: argparse.Namespace, name: str, *, remote: bool, in_workflow: bool) -> Options:
    exports = {}
    tree = Path.cwd()
    if asked.command == "deploy" or name == "deploy":
        tree = (Path.cwd() / OUTPUT).resolve()
        if not tree.is_dir() or not any(tree.iterdir()):
            raise RunnerFailure(f"there is nothing to deploy: no {OUTPUT}.", "First: bin/wercker build --artifacts")
        exports["DEPLOY"] = "true"
        if target := asked.deploy_target or (asked.environment.stem if asked.environment else ""):
            exports["WERCKER_DEPLOYTARGET_NAME"] = target
    else:
        exports["BUILD"] = "true"
    return Options(
        tree=tree,
        mounted=asked.command == "dev" or (asked.direct_mount and name != "deploy"),
        publish=tuple(asked.publish),
        docker_local=asked.docker_local,
        push_later=asked.push_later,
        # In a workflow the output of build is what deploy works on.
        artifacts=asked.artifacts or (in_workflow and name == "build"),
        remote=remote,
        exports=exports,
    )
