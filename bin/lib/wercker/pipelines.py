"""wercker.yml as values: box, services, pipelines, steps and workflows, and what is wrong with the file."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wercker.failures import RunnerFailure

ROOT = Path(__file__).resolve().parents[3]
STEPS = ("script", "internal/watch", "internal/docker-build", "internal/docker-push")
# What the genuine program has besides. Nothing here uses it, so this runner does not pretend to.
GENUINE_ONLY = (
    "internal/docker-scratch-push",
    "internal/docker-run",
    "internal/docker-kill",
    "internal/store-container",
    "internal/shell",
)
# What the steps that speak to the engine understand. The genuine docker-push takes more (labels, env, cmd, ..): those shape
# a commit of the box, which this runner never pushes, so they would be lost without a word.
PROPERTIES = {
    "internal/docker-build": frozenset(
        ("name", "image-name", "dockerfile", "context", "build-args", "labels", "no-cache", "extra-hosts")
    ),
    "internal/docker-push": frozenset(("name", "image-name", "registry", "repository", "tag", "username", "password")),
}
NOT_PIPELINES = ("box", "services", "workflows", "command-timeout", "no-response-timeout", "source-dir", "ignore-file")
WORKFLOW = "For example: workflows: [{name: check, pipelines: [{name: build}, {name: tests}]}]"
TO_JSON = "import sys, json, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout, default=str)"


@dataclass(frozen=True, slots=True)
class Image:
    """The box or a service: which image, under which name, with which environment and command."""

    reference: str
    name: str
    env: dict[str, str] = field(default_factory=dict)
    command: str = ""
    ports: tuple[str, ...] = ()
    registry: str = ""
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `properties` are strings, as the step gets them."""

    kind: str
    name: str
    properties: dict[str, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a script step may take, and how long it may say nothing, in minutes; None: for ever."""

    command_minutes: float | None = None
    silence_minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A named sequence of steps with its box and services."""

    name: str
    box: Image
    services: tuple[Image, ...]
    steps: tuple[Step, ...]
    limits: Limits


@dataclass(slots=True)
class Config:
    """The whole file. `warnings` are properties that get lost; they fail check-config and are said loudly in a run."""

    pipelines: dict[str, Pipeline] = field(default_factory=dict)
    workflows: dict[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read_config(path: Path) -> Config:
    """Read and check a wercker.yml. Raises: RunnerFailure naming the place of the first mistake."""
    if not path.is_file():
        raise RunnerFailure(f"there is no {path.name} in {path.parent}.", "Run this in the project's folder.")
    return parse_config(_load_yaml(path))


def parse_config(raw: Any) -> Config:
    """Return the file's content, already loaded, as values. Raises: RunnerFailure naming the place of a mistake."""
    if not isinstance(raw, dict):
        raise RunnerFailure("wercker.yml holds no pipelines.")
    config = Config()
    limits = Limits(_minutes(raw, "command-timeout"), _minutes(raw, "no-response-timeout"))
    for name, body in raw.items():
        if name in NOT_PIPELINES:
            continue
        if not isinstance(body, dict) or not isinstance(body.get("steps"), list):
            raise RunnerFailure(f"the pipeline {name} has no list of steps.")
        box = body.get("box", raw.get("box"))
        if box is None:
            raise RunnerFailure(f"the pipeline {name} has no box.", "Name one at the top of wercker.yml: box: IMAGE")
        services = _list(body.get("services", raw.get("services")), f"the services of {name}")
        config.pipelines[name] = Pipeline(
            name=name,
            box=_image(box, f"the box of {name}"),
            services=tuple(_image(service, f"a service of {name}") for service in services),
            steps=tuple(_step(step, f"{name}, step {at}", config) for at, step in enumerate(body["steps"], start=1)),
            limits=limits,
        )
    for workflow in _list(raw.get("workflows"), "workflows"):
        name, wanted = _workflow(workflow)
        for unknown in set(wanted) - set(config.pipelines):
            raise RunnerFailure(f"the workflow {name} names the pipeline {unknown}, which is not there.")
        config.workflows[name] = wanted
    return config


def _workflow(raw: Any) -> tuple[str, tuple[str, ...]]:
    """The name of a workflow and its pipelines."""
    if not isinstance(raw, dict) or not raw.get("name"):
        raise RunnerFailure("a workflow has no name.", WORKFLOW)
    entries = _list(raw.get("pipelines"), f"the pipelines of the workflow {raw['name']}")
    for entry in entries:
        if not isinstance(entry, dict) or not entry.get("name"):
            raise RunnerFailure(f"the workflow {raw['name']} holds {entry!r}, not the name of a pipeline.", WORKFLOW)
    return str(raw["name"]), tuple(str(entry["name"]) for entry in entries)


def _list(raw: Any, place: str) -> list[Any]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise RunnerFailure(f"{place}: {raw!r} is not a list.", "Write each entry on a line of its own, after `- `.")
    return raw


def _minutes(raw: dict[str, Any], name: str) -> float | None:
    value = raw.get(name)
    if value is None or (isinstance(value, int | float) and value > 0):
        return value
    raise RunnerFailure(f"{name} is {value!r}, not a number of minutes.")


def check_workflow(name: str, wanted: tuple[str, ...]) -> None:
    """Refuse a workflow without pipelines: it would pass without having looked at anything. Raises: RunnerFailure."""
    if not wanted:
        raise RunnerFailure(f"the workflow {name} names no pipeline.", WORKFLOW)


def check_steps(pipeline: Pipeline) -> None:
    """Refuse a pipeline with a step that this runner cannot take, before any step runs. Raises: RunnerFailure."""
    for step in pipeline.steps:
        if step.kind in GENUINE_ONLY:
            raise RunnerFailure(
                f"{pipeline.name}, step '{step.name}': {step.kind} is not done by this runner.",
                f"It does {', '.join(STEPS)}; do the rest in a script step.",
            )
        if step.kind not in STEPS:
            raise RunnerFailure(
                f"{pipeline.name}, step '{step.name}': there is no step {step.kind}.",
                "The registry that steps were fetched from is gone: only `script` and `internal/*` are left.",
            )
        lost = sorted(step.properties.keys() - PROPERTIES.get(step.kind, step.properties.keys()))
        if lost:
            raise RunnerFailure(
                f"{pipeline.name}, step '{step.name}': {step.kind} of this runner does not know {', '.join(lost)}.",
                f"It knows {', '.join(sorted(PROPERTIES[step.kind]))}; what an image is like stands in its Dockerfile.",
            )


def _load_yaml(path: Path) -> Any:
    """Ask the first Python of this machine that has PyYAML; the runner itself needs none of its own."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise RunnerFailure(f"{path.name} cannot be read: {error.strerror}.", f"ls -l {path}") from error
    for python in (sys.executable, "/usr/bin/python3", "python3", str(ROOT / ".venv/bin/python")):
        try:
            loaded = subprocess.run([python, "-c", TO_JSON], input=text, capture_output=True, check=False)
        except OSError:
            continue
        if loaded.returncode == 0:
            return json.loads(loaded.stdout)
        said = loaded.stderr.decode().strip()
        if "No module named 'yaml'" not in said:
            reason = said[said.find("yaml.") :] if "yaml." in said else said
            raise RunnerFailure(f"{path.name} is not valid YAML.", reason)
    raise RunnerFailure("no Python here has PyYAML.", "apt-get install -y python3-yaml")


def _image(raw: Any, place: str) -> Image:
    body = {"id": raw} if isinstance(raw, str) else raw
    if not isinstance(body, dict) or not isinstance(body.get("id"), str):
        raise RunnerFailure(f"{place} has no id.", "For example: id: mdillon/postgis")
    repository = body["id"]
    if re.search(r":\d+/", repository):
        raise RunnerFailure(f"{place}: an id may not hold a port ({repository}).")
    repository, _, tag = repository.partition(":")
    env = body.get("env") or {}
    entries = env.items() if isinstance(env, dict) else (str(line).partition("=")[::2] for line in env)
    return Image(
        reference=f"{repository}:{body.get('tag', '') or tag or 'latest'}",
        name=str(body.get("name") or repository.rpartition("/")[2]),
        env={str(name): str(value) for name, value in entries},
        command=str(body.get("cmd") or ""),
        ports=tuple(str(port) for port in _list(body.get("ports"), f"the ports of {place}")),
        **{name: str(body.get(name) or "") for name in ("registry", "username", "password")},
    )


def _step(raw: Any, place: str, config: Config) -> Step:
    if isinstance(raw, str):
        return Step(raw, raw, {})
    if not isinstance(raw, dict) or len(raw) != 1:
        raise RunnerFailure(
            f"{place} is not one step with its properties.", "For example: - script: {name: .., code: ..}"
        )
    ((kind, body),) = raw.items()
    if not isinstance(body, dict) or not body:
        raise RunnerFailure(f"{place} ({kind}) is empty.", "A step without a body breaks the whole file.")
    properties = {}
    for name, value in body.items():
        if isinstance(value, bool):
            properties[name] = str(value).lower()
        elif isinstance(value, str | int):
            properties[name] = str(value)
        else:
            shown = type(value).__name__
            config.warnings.append(
                f"{place} ({kind}): {name} is a {shown}, not a string, and gets lost: put it in quotes"
            )
    if kind in ("script", "internal/watch") and not properties.get("code", "").strip():
        raise RunnerFailure(f"{place} ({kind}) has no code.", "A step without a body breaks the whole file.")
    return Step(kind, properties.get("name", kind), properties)
