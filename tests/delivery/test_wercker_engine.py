"""How bin/wercker calls Docker: logins, pushes and missing images, on a docker that only takes notes."""

import json
import os

import pytest
from wercker.engine import Engine
from wercker.failures import RunnerFailure, StepFailed
from wercker.images import ImageSteps
from wercker.interrupts import Interrupts
from wercker.pipelines import Step

PASSWORD = "canary 5e $HOME #1 'x'"
DOCKER = """#!/usr/bin/env python3
import json, os, sys
given = sys.stdin.read() if "--password-stdin" in sys.argv else ""
with open(os.environ["NOTES"], "a") as notes:
    print(json.dumps([sys.argv[1:], given, os.environ.get("DOCKER_CONFIG", "")]), file=notes)
print("the engine says something")
sys.exit(any(sys.argv[1:2] == [name] for name in os.environ.get("FAILING", "").split()))
"""


@pytest.fixture
def notes(tmp_path, monkeypatch):
    """Return a function that reads what docker was called with: arguments, standard input, folder of its logins."""
    program = tmp_path / "docker"
    program.write_text(DOCKER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    return lambda: [json.loads(line) for line in (tmp_path / "notes").read_text().splitlines()]


@pytest.fixture
def said():
    return []


@pytest.fixture
def images(notes, said):
    return ImageSteps(Engine(Interrupts()), "box", said.append)


def push(**properties):
    known = {"image-name": "made", "repository": "$REPO", "tag": "$TAG", "username": "me", "password": "$PASSWORD"}
    return Step("internal/docker-push", "the push", {**known, **properties})


def values(**others):
    return {"REPO": "registry.example:5000/a/b", "TAG": "t-1", "PASSWORD": PASSWORD, **others}


def test_the_password_goes_through_standard_input_and_its_login_is_forgotten(images, notes):
    images.push(push(), values(), local=False, remote=True)

    tag, login, pushed = notes()
    assert tag[0] == ["tag", "made", "registry.example:5000/a/b:t-1"]
    assert login[:2] == [["login", "--username", "me", "--password-stdin", "registry.example:5000"], PASSWORD]
    assert pushed[0] == ["push", "registry.example:5000/a/b:t-1"]
    assert login[2] == pushed[2] != ""
    assert not os.path.exists(login[2])  # noqa: PTH110 -- a path as docker was told it
    assert not [call for call in notes() if PASSWORD in " ".join(call[0])]


@pytest.mark.parametrize(
    ("registry", "repository", "host"),
    [
        ("https://one.example:5000/v2/", "one.example:5000/a", "one.example:5000"),
        ("https://one.example", "a/b", "one.example"),
        ("", "localhost:5000/a", "localhost:5000"),
        ("", "onitsoft/site", "https://index.docker.io/v1/"),
        ("$UNSET", "onitsoft/site", "https://index.docker.io/v1/"),
    ],
)
def test_logs_in_where_it_pushes(images, notes, registry, repository, host):
    images.push(push(registry=registry), values(REPO=repository), local=False, remote=True)

    assert notes()[1][0][-1] == host


def test_pushes_each_tag_of_a_list(images, notes):
    images.push(push(tag="a, b c"), values(), local=False, remote=True)

    pushed = [call[0][1].rpartition(":")[2] for call in notes() if call[0][0] == "push"]
    assert pushed == ["a", "b", "c"]


def test_docker_local_tags_and_pushes_nothing(images, notes, said):
    images.push(push(), values(), local=True, remote=True)

    assert [call[0][0] for call in notes()] == ["tag"]
    assert "not pushed: --docker-local" in said


def test_without_a_password_a_local_run_does_not_push_and_a_remote_one_fails(images, notes):
    images.push(push(), values(PASSWORD=""), local=False, remote=False)
    with pytest.raises(RunnerFailure, match="no password for the registry"):
        images.push(push(), values(PASSWORD=""), local=False, remote=True)

    assert {call[0][0] for call in notes()} == {"tag"}


def test_a_refused_login_fails_the_step_by_the_registrys_name(images, notes, monkeypatch):
    monkeypatch.setenv("FAILING", "login")

    with pytest.raises(StepFailed, match="refuses the login"):
        images.push(push(), values(), local=False, remote=True)

    assert "push" not in [call[0][0] for call in notes()]


def test_a_failed_push_fails_the_step(images, said, monkeypatch):
    monkeypatch.setenv("FAILING", "push")

    with pytest.raises(StepFailed, match="docker push: status 1"):
        images.push(push(), values(), local=False, remote=True)

    assert "the engine says something" in said


def test_a_property_whose_variable_is_not_set_is_named(images):
    with pytest.raises(RunnerFailure, match="repository is empty"):
        images.push(push(), values(REPO=""), local=False, remote=True)


@pytest.mark.parametrize("context", ["..", "a/../../b", "/etc"])
def test_a_context_lies_below_the_source(images, context):
    step = Step("internal/docker-build", "the build", {"image-name": "made", "context": context})

    with pytest.raises(RunnerFailure, match="outside the source directory"):
        images.build(step, {})


def test_an_image_of_ours_that_is_missing_is_built_not_pulled(notes, monkeypatch):
    monkeypatch.setenv("FAILING", "image")

    with pytest.raises(RunnerFailure) as missing:
        Engine(Interrupts()).need_image("pitervergara/geodjango:nexchange", pull=True)

    assert missing.value.remedy == "Build it: bin/images box"
    assert "pull" not in [call[0][0] for call in notes()]


@pytest.mark.parametrize("pull", [True, False])
def test_another_image_is_pulled_unless_the_run_is_local(notes, monkeypatch, pull):
    monkeypatch.setenv("FAILING", "image pull")

    with pytest.raises(RunnerFailure):
        Engine(Interrupts()).need_image("somebody/else:1", pull=pull)

    assert ("pull" in [call[0][0] for call in notes()]) is pull
