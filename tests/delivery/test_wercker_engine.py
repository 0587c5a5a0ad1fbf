"""How bin/wercker calls Docker: logins, pushes and missing images, on a docker that only takes notes."""

import json
import os
import subprocess

import pytest
from wercker.dockerfile import base_images
from wercker.engine import Engine, EngineFailure, explain_start
from wercker.failures import RunnerFailure, StepFailed
from wercker.images import ImageSteps
from wercker.interrupts import Interrupts
from wercker.pipelines import Image, Step, parse_config
from wercker.registries import image_name, need_image
from wercker.run import note_digest
from wercker.services import start_service

from tests.sources import ROOT

PASSWORD = "canary 5e $HOME #1 'x'"
DOCKER = """#!/usr/bin/env python3
import json, os, sys
given = sys.stdin.read() if "--password-stdin" in sys.argv else ""
with open(os.environ["NOTES"], "a") as notes:
    told = [sys.argv[1:], given, os.environ.get("DOCKER_CONFIG", ""), os.environ.get("DOCKER_HOST", "")]
    print(json.dumps(told), file=notes)
if any(sys.argv[1:2] == [name] for name in os.environ.get("FAILING", "").split()):
    print("the engine says something")
    sys.exit("the engine refuses")
match sys.argv[1:]:
    case ["context", *_]:
        print("unix:///run/user/1234/docker.sock")
    case ["exec", _, "cat", path]:
        print(json.loads(os.environ["DOCKERFILES"])[path])
    case ["build", *rest]:
        sys.stdin.read()
        with open(rest[rest.index("--iidfile") + 1], "w") as note:
            note.write("sha256:built-here")
    case ["image" | "inspect", *_]:
        print("[]")
    case ["push", name]:
        print("layer: pushed")
        print(f"{name.rpartition(':')[2]}: digest: sha256:{'ab' * 32} size: 1234")
    case _:
        print("the engine says something")
"""


@pytest.fixture
def notes(tmp_path, monkeypatch):
    """Return a function that reads what docker was called with: arguments, standard input, folder of its logins."""
    program = tmp_path / "docker"
    program.write_text(DOCKER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKERFILES", json.dumps({"/pipeline/source/Dockerfile": "FROM scratch"}))
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

    _, login, tag, pushed = notes()
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


def test_what_was_pushed_is_known_by_its_digest(images):
    assert images.digest == ""

    images.push(push(), values(), local=False, remote=True)

    assert images.digest == "sha256:" + "ab" * 32


def test_a_push_that_is_for_later_sends_nothing_and_needs_no_password(images, notes, said):
    images.push(push(), values(PASSWORD=""), local=False, remote=True, later=True)

    assert [call[0][0] for call in notes()] == ["tag"]
    assert "not pushed yet: push-image does that" in said
    assert images.digest == ""


def kept_build(folder, **files):
    """What `build --artifacts --push-later` leaves behind."""
    output = folder / ".wercker" / "runs" / "one" / "output"
    output.mkdir(parents=True)
    (folder / ".wercker" / "latest").symlink_to("runs/one")
    for name, text in {"COMMIT": "0123abc\n", **files}.items():
        (output / name).write_text(text)
    (output.parent / "built.json").write_text(json.dumps({"nexchange/app": "sha256:built-here"}))
    target = folder / "far.env"
    target.touch(mode=0o600)
    target.write_text(
        f"X_DOCKER_HUB_REPO=registry.example:5000/a/b\nX_DOCKER_HUB_USER=me\nXXX_DOCKER_HUB_PASSWORD={PASSWORD}\n"
        "X_DOCKER_IMAGE_TAG=plain\n"
    )
    return output


def run_runner(folder, *arguments):
    return subprocess.run(
        [ROOT / "bin" / "wercker", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


def test_an_accepted_build_is_pushed_by_the_id_that_the_runner_noted(notes, tmp_path):
    """Whatever the steps wrote into the output: that is the pushed code's, and the image's name anybody's."""
    output = kept_build(tmp_path, DIGEST="sha256:" + "cd" * 32)
    (tmp_path / "wercker.yml").write_text((ROOT / "wercker.yml").read_text())

    done = run_runner(tmp_path, "--environment", "far.env", "push-image")

    assert done.returncode == 0, done.stdout + done.stderr
    assert (output / "DIGEST").read_text() == "sha256:" + "ab" * 32 + "\n"
    calls = [call[0] for call in notes()]
    assert ["tag", "sha256:built-here", "registry.example:5000/a/b:plain-0123abc"] in calls
    assert ["push", "registry.example:5000/a/b:plain-0123abc"] in calls
    assert PASSWORD not in done.stdout + done.stderr


def test_a_failed_push_leaves_no_digest_and_says_so(notes, tmp_path, monkeypatch):
    kept_build(tmp_path)
    (tmp_path / "wercker.yml").write_text((ROOT / "wercker.yml").read_text())
    monkeypatch.setenv("FAILING", "push")

    done = run_runner(tmp_path, "--environment", "far.env", "push-image")

    assert done.returncode == 1
    assert not (tmp_path / ".wercker/latest/output/DIGEST").exists()


@pytest.mark.parametrize("digest", ["", "sha256:" + "ab" * 32])
def test_the_output_says_what_was_pushed_and_nothing_else(tmp_path, digest):
    (tmp_path / "DIGEST").symlink_to("/etc/hostname")

    note_digest(tmp_path, digest)

    assert ((tmp_path / "DIGEST").read_text() if digest else "") == (f"{digest}\n" if digest else "")
    assert (tmp_path / "DIGEST").exists() == bool(digest)
    assert not (tmp_path / "DIGEST").is_symlink()


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
        images.build(step, {}, local=True)


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


# --- Logins keep the engine ---


def test_a_push_speaks_to_the_engine_of_the_users_context(images, notes):
    images.push(push(), values(), local=False, remote=True)

    context, *others = notes()
    assert context[0] == ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    assert {call[0][0]: call[3] for call in others if call[2]} == dict.fromkeys(
        ["login", "push"], "unix:///run/user/1234/docker.sock"
    )


def test_a_host_that_is_set_stays(images, notes, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://far.example:2375")

    images.push(push(), values(), local=False, remote=True)

    assert {(call[0][0], call[3]) for call in notes()} == {
        (name, "tcp://far.example:2375") for name in ("tag", "login", "push")
    }


def test_a_client_without_contexts_is_left_as_it_is(images, notes, monkeypatch):
    monkeypatch.setenv("FAILING", "context")

    images.push(push(), values(), local=False, remote=True)

    assert {call[3] for call in notes()} == {""}


# --- The image of a box that is kept behind a login ---


def private(**properties):
    known = {"id": "a/b", "tag": "$TAG", "registry": "$REGISTRY", "username": "$ME", "password": "$PASSWORD"}
    step = {"script": {"code": "true"}}
    return parse_config({"box": {**known, **properties}, "build": {"steps": [step]}}).pipelines["build"].box


def test_a_private_box_is_pulled_with_a_login_of_its_own(notes, monkeypatch):
    monkeypatch.setenv("FAILING", "image")
    known = values(REGISTRY="https://r.example:5000/v2/", ME="me")

    need_image(Engine(Interrupts()), private(), known, pull=True)

    login = next(call for call in notes() if call[0][0] == "login")
    pull = next(call for call in notes() if call[0][0] == "pull")
    assert login[:2] == [["login", "--username", "me", "--password-stdin", "r.example:5000"], PASSWORD]
    assert pull[0] == ["pull", "r.example:5000/a/b:t-1"]
    assert login[2] == pull[2] != ""
    assert not os.path.exists(login[2])  # noqa: PTH110 -- a path as docker was told it
    assert PASSWORD not in repr(private(password=PASSWORD))


@pytest.mark.parametrize("pull", [True, False])
def test_a_private_box_that_is_here_needs_no_login(notes, pull):
    need_image(Engine(Interrupts()), private(), values(REGISTRY="https://r.example"), pull=pull)

    assert {call[0][0] for call in notes()} == {"image"}


def test_a_refused_login_for_the_box_is_named(notes, monkeypatch):
    monkeypatch.setenv("FAILING", "image login")

    with pytest.raises(RunnerFailure, match=r"the registry r\.example refuses the login"):
        need_image(Engine(Interrupts()), private(), values(REGISTRY="r.example"), pull=True)


@pytest.mark.parametrize(
    ("box", "registry", "name"),
    [
        ("a/b", "https://r.example/v2", "r.example/a/b:latest"),
        ("r.example/a/b", "https://r.example", "r.example/a/b:latest"),
        ("r.example/a/b", "", "r.example/a/b:latest"),
        ("a/b", "", "a/b:latest"),
        ("a/b", "https://index.docker.io/v1/", "a/b:latest"),
    ],
)
def test_the_registry_is_part_of_the_boxs_name(box, registry, name):
    assert image_name(Image(f"{box}:latest", "b", registry="$R"), {"R": registry}) == name


# --- Services ---


def test_the_cmd_of_a_service_is_filled_and_split_as_a_shell_would(notes):
    service = Image("redis:7", "redis", command="redis-server --requirepass $PASS --save '60 1'")

    start_service(Engine(Interrupts()), service, run="r", network="n", values={"PASS": "secret"})

    command = notes()[0][0]
    assert command[command.index("redis:7") + 1 :] == ["redis-server", "--requirepass", "secret", "--save", "60 1"]


def test_a_quote_that_does_not_end_is_named(notes):
    with pytest.raises(RunnerFailure, match="the cmd of the service redis holds a quote that does not end"):
        start_service(Engine(Interrupts()), Image("r", "redis", command="a 'b"), run="r", network="n", values={})


# --- Ports ---


@pytest.mark.parametrize(
    "words",
    [
        "Bind for 0.0.0.0:8000 failed: port is already allocated.",
        "Error starting userland proxy: listen tcp4 0.0.0.0:8000: bind: address already in use.",
        "failed to bind host port for 0.0.0.0:8000:172.17.0.2:8000/tcp: address already in use",
        "failed to bind host port 0.0.0.0:8000/tcp: address already in use",
        "failed to bind host port for [::1]:8000:172.17.0.2:8000/tcp: address already in use",
    ],
)
def test_a_taken_port_is_recognised_in_the_words_of_each_engine(words):
    failure = explain_start(
        EngineFailure("", "", f"driver failed programming external connectivity: {words}"), "the box"
    )

    assert failure.cause == "port 8000 of this machine is taken."


@pytest.mark.parametrize(
    ("published", "advised"),
    [
        ("8080:8000", "8081:8000"),
        ("127.0.0.1:8080:8000", "127.0.0.1:8081:8000"),
        ("8080", "8081:8080"),
        ("8080:8000/tcp", "8081:8000/tcp"),
    ],
)
def test_the_advice_keeps_the_port_of_the_container(published, advised):
    said = "failed to bind host port for 0.0.0.0:8080:172.17.0.2:8000/tcp: address already in use"

    failure = explain_start(EngineFailure("", "", said), "the box", ["9000:1", published])

    assert failure.remedy.endswith(f"--publish {advised}")


# --- Building ---


def build(**properties):
    return Step("internal/docker-build", "the build", {"image-name": "made", **properties})


def called(notes, name):
    return [call[0] for call in notes() if call[0][0] == name]


def test_a_build_takes_another_dockerfile_no_cache_and_more_hosts(images, notes, monkeypatch):
    monkeypatch.setenv("DOCKERFILES", json.dumps({"/pipeline/source/sub/Other": "FROM scratch"}))
    properties = {"dockerfile": "Other", "context": "sub", "no-cache": "true", "extra-hosts": "a:10.0.0.1 b:$B"}

    images.build(build(**properties), {"B": "10.0.0.2"}, local=False)

    (command,) = called(notes, "build")
    text = " ".join(command)
    assert "--file Other" in text
    assert "--no-cache" in text
    assert "--add-host a:10.0.0.1 --add-host b:10.0.0.2" in text


def test_a_build_uses_the_cache_unless_told_otherwise(images, notes):
    images.build(build(), {}, local=False)

    assert "--no-cache" not in called(notes, "build")[0]


def test_what_is_pushed_is_the_id_that_this_run_built(images, notes):
    images.build(build(), {}, local=False)
    images.push(push(), values(), local=False, remote=True)

    assert called(notes, "tag") == [["tag", "sha256:built-here", "registry.example:5000/a/b:t-1"]]


def test_base_images_are_read_from_the_lines_of_the_file():
    text = """
        # FROM comment
        ARG BASE=debian:bookworm-slim
        ARG NAME=a
        ARG OTHER="$NAME/${KIND:-b}"
        from ${BASE} AS Build
        ARG BASE=not-seen-by-from
        RUN echo \\
            # a comment inside
            FROM not-an-image
        FROM --platform=linux/amd64 ${OTHER} as second
        FROM build
        FROM scratch
        FROM $BASE
        FROM ${MISSING}
    """

    assert base_images(text, {"NAME": "given", "FOREIGN": "x"}) == ("debian:bookworm-slim", "given/b")


BASED = json.dumps({"/pipeline/source/Dockerfile": "ARG BASE=none\nFROM $BASE AS one\nFROM one\n"})


def test_a_build_pulls_its_base_image(images, notes, said, monkeypatch):
    monkeypatch.setenv("DOCKERFILES", BASED)

    images.build(build(**{"build-args": "BASE=$BASE"}), {"BASE": "debian:x"}, local=False)

    assert called(notes, "pull") == [["pull", "debian:x"]]
    assert [call[0][0] for call in notes()].index("pull") < [call[0][0] for call in notes()].index("build")
    assert "pulling the base image debian:x" in said


def test_a_base_image_that_is_only_here_is_built_on(images, notes, said, monkeypatch):
    monkeypatch.setenv("DOCKERFILES", BASED)
    monkeypatch.setenv("FAILING", "pull")

    images.build(build(**{"build-args": "BASE=debian:x"}), {}, local=False)

    assert len(called(notes, "build")) == 1
    assert [line for line in said if "building on the debian:x that is on this machine" in line]


def test_a_base_image_that_is_nowhere_is_named(images, notes, monkeypatch):
    monkeypatch.setenv("DOCKERFILES", BASED)
    monkeypatch.setenv("FAILING", "pull image")

    with pytest.raises(RunnerFailure, match="the base image debian:x can be found neither"):
        images.build(build(**{"build-args": "BASE=debian:x"}), {}, local=False)

    assert called(notes, "build") == []


@pytest.mark.parametrize(("base", "local"), [("redis", False), ("nexchange/base:bookworm", False), ("d:x", True)])
def test_neither_an_image_of_ours_nor_any_under_docker_local_is_pulled(images, notes, monkeypatch, base, local):
    monkeypatch.setenv("DOCKERFILES", BASED)
    step = build(**{"build-args": f"BASE={base}"})

    images.build(step, {}, local=local)
    # The builder would pull by itself what is missing.
    monkeypatch.setenv("FAILING", "image")
    with pytest.raises(RunnerFailure, match="is not on this machine"):
        images.build(step, {}, local=local)

    assert called(notes, "pull") == []
    assert len(called(notes, "build")) == 1
