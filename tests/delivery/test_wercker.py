"""The facts about wercker's command line that need no engine: the file, the variables, the flags, the ignored files."""

import io
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
from wercker.failures import RunnerFailure
from wercker.ignored import Ignored, pack
from wercker.output import Printer
from wercker.pipelines import check_steps, parse_config
from wercker.variables import check_target_file, collect_variables, fill_in, read_variables

from tests.delivery.wercker import ROOT, Project


def fails(error):
    def call(*arguments, **options):
        raise error

    return call


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def pipeline(*steps, **rest):
    return {"box": "debian:bookworm-slim", "build": {"steps": list(steps)}, **rest}


def script(code="true", **rest):
    return {"script": {"name": "a step", "code": code, **rest}}


# --- Steps ---


@pytest.mark.parametrize("name", ["npm-install", "install-packages", "create-file", "add-ssh-key", "maxon/npm-run"])
def test_a_step_of_the_dead_registry_fails_the_set_up(name):
    config = parse_config(pipeline(script(), {name: {"some": "property"}}))

    with pytest.raises(RunnerFailure, match=f"there is no step {name}"):
        check_steps(config.pipelines["build"])


def test_a_step_of_the_genuine_program_that_this_one_lacks_is_named():
    config = parse_config(pipeline("internal/shell"))

    with pytest.raises(RunnerFailure, match="internal/shell is not done by this runner"):
        check_steps(config.pipelines["build"])


def test_step_properties_are_strings():
    config = parse_config(pipeline({"internal/docker-push": {"tag": "1.10", "a": 3, "b": True}}))

    assert config.pipelines["build"].steps[0].properties == {"tag": "1.10", "a": "3", "b": "true"}
    assert config.warnings == []


@pytest.mark.parametrize(("value", "kind"), [(1.10, "float"), (["80"], "list"), ({"a": "b"}, "dict")])
def test_other_properties_get_lost_and_are_named(value, kind):
    config = parse_config(pipeline({"internal/docker-push": {"repository": "a/b", "tag": value}}))

    assert config.pipelines["build"].steps[0].properties == {"repository": "a/b"}
    assert config.warnings == [
        f"build, step 1 (internal/docker-push): tag is a {kind}, not a string, and gets lost: put it in quotes"
    ]


@pytest.mark.parametrize(
    "step", [{"script": None}, {"script": {}}, {"script": {"name": "x"}}, {"script": {"code": " "}}]
)
def test_an_empty_step_breaks_the_whole_file(step):
    with pytest.raises(RunnerFailure, match=r"empty|no code"):
        parse_config({**pipeline(script()), "other": {"steps": [step]}})


def test_check_config_fails_naming_what_gets_lost(project):
    project.write("wercker.yml", "box: b\nbuild: {steps: [{internal/docker-push: {repository: a/b, tag: 1.10}}]}\n")

    checked = project.run("check-config")

    assert checked.returncode == 1
    assert "tag is a float" in checked.stderr


def test_check_config_says_what_the_file_holds(project):
    steps = "steps: [{script: {name: x, code: 'true'}}]"
    project.write(
        "wercker.yml", f"box: b\nbuild: {{{steps}}}\nworkflows: [{{name: all, pipelines: [{{name: build}}]}}]\n"
    )

    checked = project.run("check-config")

    assert (checked.returncode, checked.stderr) == (0, "")
    assert "build: 1 steps in b:latest" in checked.stdout
    assert "workflow all: build" in checked.stdout


def test_yaml_that_cannot_be_read_is_named(project):
    project.write("wercker.yml", "box: [\n")

    checked = project.run("check-config")

    assert checked.returncode == 1
    assert "wercker.yml is not valid YAML" in checked.stderr


@pytest.mark.parametrize("lost", ["labels", "env", "cmd", "entrypoint", "volumes", "user", "working-dir", "ports"])
def test_a_property_of_docker_push_that_would_be_ignored_is_refused(lost):
    push = {"internal/docker-push": {"image-name": "made", "repository": "a/b", lost: "x"}}
    config = parse_config(pipeline(push))

    with pytest.raises(RunnerFailure, match=f"internal/docker-push of this runner does not know {lost}") as refused:
        check_steps(config.pipelines["build"])

    assert "image-name" in refused.value.remedy


@pytest.mark.parametrize(
    ("workflow", "said"),
    [
        ({"name": "all", "pipelines": ["build"]}, "holds 'build', not the name of a pipeline"),
        ({"name": "all", "pipelines": "build"}, "'build' is not a list"),
        ({"pipelines": [{"name": "build"}]}, "a workflow has no name"),
        ("all", "a workflow has no name"),
    ],
)
def test_a_workflow_that_is_none_is_refused(workflow, said):
    with pytest.raises(RunnerFailure, match=re.escape(said)):
        parse_config(pipeline(script(), workflows=[workflow]))


@pytest.mark.parametrize("command", [["workflow", "all"], ["check-config"]])
@pytest.mark.parametrize("empty", ["{name: all}", "{name: all, pipelines: []}"])
def test_a_workflow_without_pipelines_does_not_pass(project, command, empty):
    project.write("wercker.yml", f"box: b\nbuild: {{steps: [{{script: {{code: 'true'}}}}]}}\nworkflows: [{empty}]\n")

    told = project.run(*command, PATH=str(project.folder))

    assert told.returncode == 1
    assert "the workflow all names no pipeline" in told.stderr


@pytest.mark.parametrize("place", ["services", "workflows"])
def test_what_must_be_a_list_is_named(place):
    with pytest.raises(RunnerFailure, match="'redis' is not a list"):
        parse_config(pipeline(script(), **{place: "redis"}))


# --- Box and services ---


def test_an_id_may_not_hold_a_port():
    with pytest.raises(RunnerFailure, match="may not hold a port"):
        parse_config({"box": "registry:5000/a/b", "build": {"steps": [script()]}})


def test_the_name_of_a_service_is_the_last_part_of_its_id():
    config = parse_config(
        pipeline(script(), services=["mdillon/postgis", {"id": "redis", "name": "queue", "tag": "7"}])
    )

    found = [(service.name, service.reference) for service in config.pipelines["build"].services]

    assert found == [("postgis", "mdillon/postgis:latest"), ("queue", "redis:7")]


def test_a_box_of_the_pipeline_wins_over_that_of_the_file():
    config = parse_config({"box": "a", "build": {"box": {"id": "b", "tag": "1"}, "steps": [script()]}})

    assert config.pipelines["build"].box.reference == "b:1"


def test_variables_fill_fields_of_box_and_services():
    assert fill_in("$REPO/${NAME}:x$NOTHING", {"REPO": "a", "NAME": "b"}) == "a/b:x"


# --- Variables ---


def test_only_marked_variables_are_passed_on():
    found = collect_variables({"X_A": "1", "XXX_B": "2", "C": "3", "PATH": "/bin"}, {"X_D": "4", "E": "5"})

    assert found.values == {"A": "1", "B": "2", "D": "4"}


def test_a_value_of_the_system_wins_unless_it_is_empty():
    found = collect_variables({"X_A": "system", "X_B": ""}, {"X_A": "file", "X_B": "file"})

    assert found.values == {"A": "system", "B": "file"}


@pytest.mark.parametrize(("one", "other"), [("X", "XXX"), ("XXX", "X")])
def test_an_empty_value_under_the_other_prefix_takes_nothing_away(one, other):
    collected = collect_variables({f"{one}_SECRET_KEY": "given"}, {f"{other}_SECRET_KEY": ""})

    assert collected.values["SECRET_KEY"] == "given"


@pytest.mark.parametrize(("one", "other"), [("X", "XXX"), ("XXX", "X")])
def test_a_value_of_the_system_wins_over_the_file_whatever_the_prefix(one, other):
    collected = collect_variables({f"{one}_NAME": "system"}, {f"{other}_NAME": "file"})

    assert collected.values == {"NAME": "system"}
    assert collected.secrets == {"NAME": "system"}


def test_an_empty_value_of_the_system_leaves_that_of_the_file():
    assert collect_variables({"X_NAME": ""}, {"XXX_NAME": "file"}).values == {"NAME": "file"}


@pytest.mark.parametrize("value", [0, -1, "soon"])
def test_a_limit_that_is_no_number_of_minutes_is_named(value):
    with pytest.raises(RunnerFailure, match=r"command-timeout is .*, not a number of minutes"):
        parse_config({"box": "b", "command-timeout": value, "build": {"steps": [{"script": {"code": "true"}}]}})


def test_values_stay_as_they_are(project):
    file = project.write(
        "e", "# a comment\n\nX_A=a $HOME #b 'c' \"d\" \\n`e`\nX_B='in quotes'\nX_C=\"so $too\"\nX_D=a=b\n"
    )

    assert collect_variables({}, read_variables(file)).values == {
        "A": "a $HOME #b 'c' \"d\" \\n`e`",
        "B": "in quotes",
        "C": "so $too",
        "D": "a=b",
    }


@pytest.mark.parametrize("line", ["export X_A=1", "X_A = 1", "just words"])
def test_a_line_that_is_no_assignment_is_named(project, line):
    file = project.write("e", f"X_B=1\n{line}\n")

    with pytest.raises(RunnerFailure, match="line 2"):
        read_variables(file)


@pytest.mark.parametrize(
    ("given", "logged"),
    [
        ({"XXX_FOO": "hidden-value"}, "it is hidden-value"),
        ({"X_SECRET_KEY": "hidden-value"}, "it is hidden-value"),
        ({"XXX_FOO": "hidden $value"}, "it is 'hidden $value'"),
        ({"XXX_FOO": "hidden-value"}, "it is aGlkZGVuLXZhbHVl"),
        ({"X_LITECOIN_RPC_URL": "http://user:hidden-value@node:1"}, "it is hidden-value"),
        ({"XXX_PEM_FILE_CONTENT": "-----BEGIN-----\\nhiddenhiddenhidden\\n-----END-----"}, "it is hiddenhiddenhidden"),
    ],
)
def test_a_secret_value_never_reaches_the_log(capsys, given, logged):
    printer = Printer(collect_variables(given, {}).secrets)

    printer.line(logged)

    name = next(iter(given)).partition("_")[2]
    assert capsys.readouterr().out == f"it is [{name} hidden]\n"


def test_harmless_values_stay_readable(capsys):
    Printer(collect_variables({"X_SECRET_KEY": "development-only", "X_A": "plain"}, {}).secrets).line(
        "development-only plain"
    )

    assert capsys.readouterr().out == "development-only plain\n"


def test_the_misspelt_tag_alone_is_refused_with_the_hint():
    with pytest.raises(RunnerFailure) as refused:
        collect_variables({"X_DOCKER_IAMGE_TAG": "1"}, {})

    assert refused.value.remedy == "Spell it DOCKER_IMAGE_TAG."
    assert (
        collect_variables({"X_DOCKER_IAMGE_TAG": "1", "X_DOCKER_IMAGE_TAG": "2"}, {}).values["DOCKER_IMAGE_TAG"] == "2"
    )


def test_a_file_of_a_target_is_for_its_owner_alone(project):
    with pytest.raises(RunnerFailure, match="others may read it"):
        check_target_file(project.write("target.env", "X_A=1\n"))

    check_target_file(project.write("target.env", "X_A=1\n", 0o600))


def test_a_remote_run_refuses_a_tracked_file(tmp_path):
    (tmp_path / "ENVIRONMENT").symlink_to(ROOT / "ENVIRONMENT")
    mode = (ROOT / "ENVIRONMENT").stat().st_mode
    (ROOT / "ENVIRONMENT").chmod(0o600)
    try:
        with pytest.raises(RunnerFailure, match="tracked by Git"):
            check_target_file(tmp_path / "ENVIRONMENT")
    finally:
        (ROOT / "ENVIRONMENT").chmod(mode)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), IsADirectoryError(21, "Is a directory")])
def test_a_file_of_a_target_that_one_may_not_read_is_named(project, monkeypatch, error):
    file = project.write("target.env", "X_A=1\n", 0o600)
    monkeypatch.setattr(Path, "read_text", fails(error))

    with pytest.raises(RunnerFailure, match=f"target.env cannot be read: {error.strerror}"):
        read_variables(file)


def test_a_file_of_a_target_in_a_folder_that_one_may_not_enter_is_named(project, monkeypatch):
    monkeypatch.setattr(Path, "is_file", fails(PermissionError(13, "Permission denied")))

    with pytest.raises(RunnerFailure, match=r"target\.env cannot be read: Permission denied"):
        check_target_file(project.folder / "target.env")


def test_a_file_of_a_target_in_another_encoding_is_named(project):
    file = project.write("target.env", "")
    file.write_bytes(b"X_A=\xff\n")

    with pytest.raises(RunnerFailure, match="is not UTF-8"):
        read_variables(file)


# --- Flags ---


@pytest.mark.parametrize(
    "arguments",
    [
        ["build", "--no-such-flag"],
        ["--no-such-flag", "build"],
        ["no-such-command"],
        ["build", "--environment", "x"],
        [],
    ],
)
def test_an_unknown_flag_prints_the_usage_and_fails(project, arguments):
    told = project.run(*arguments)

    assert told.returncode == 2
    assert told.stderr.startswith("usage: wercker")


def test_a_pipeline_that_is_not_there_is_named(project):
    project.write("wercker.yml", "box: b\nbuild: {steps: [{script: {code: 'true'}}]}\n")

    told = project.run("build", "--pipeline", "tests")

    assert told.returncode == 1
    assert "there is no pipeline tests" in told.stderr
    assert "There are: build" in told.stderr


def test_without_a_docker_client_it_says_so(project):
    project.write("wercker.yml", "box: b\nbuild: {steps: [{script: {code: 'true'}}]}\n")

    told = project.run("build", PATH=str(project.folder))

    assert told.returncode == 1
    assert "there is no Docker here" in told.stderr


def test_without_an_engine_it_says_so(project):
    project.write("wercker.yml", "box: b\nbuild: {steps: [{script: {code: 'true'}}]}\n")
    project.write("docker", "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n", 0o755)

    told = project.run("build", PATH=f"{project.folder}:/usr/bin:/bin")

    assert told.returncode == 1
    assert "no Docker engine answers" in told.stderr
    assert "systemctl start docker" in told.stderr


# --- The copied tree ---


@pytest.mark.parametrize(
    ("name", "is_folder", "outside"),
    [
        ("ENVIRONMENT", False, True),
        ("deep/ENVIRONMENT", False, False),
        ("node_modules", True, True),
        ("a/node_modules", True, True),
        ("node_modules", False, False),
        ("a/b/x.pyc", False, True),
        ("keep.pyc", False, False),
        ("docs/a/b.txt", False, True),
        ("var/x", False, True),
        (".wercker", True, True),
        ("bin/test", False, False),
    ],
)
def test_ignored_files_follow_gits_patterns(name, is_folder, outside):
    ignored = Ignored(
        ["# comment", "", "/ENVIRONMENT", "node_modules/", "*.pyc", "!keep.pyc", "docs/**/*.txt", "var/?"]
    )

    assert ignored.covers(name, is_folder=is_folder) is outside


def test_the_copy_leaves_out_what_is_ignored_and_belongs_to_root(project):
    project.write(".werckerignore", "secret\n")
    project.write("secret", "x")
    project.write("folder/kept", "x", 0o755)
    project.write(".wercker/cache/x", "x")
    (project.folder / "link").symlink_to("folder/kept")
    packed = io.BytesIO()

    pack(project.folder, into=packed, folder="source")

    packed.seek(0)
    with tarfile.open(fileobj=packed) as archive:
        found = {member.name: (member.uid, oct(member.mode & 0o777)) for member in archive}
        assert sorted(found) == ["source/.werckerignore", "source/folder", "source/folder/kept", "source/link"]
        assert found["source/folder/kept"] == (0, "0o755")
        assert archive.getmember("source/link").linkname == "folder/kept"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied"), "one cannot be read: Permission denied"),
        (FileNotFoundError(2, "No such file"), "one was there and is gone"),
    ],
)
@pytest.mark.parametrize("call", ["open", "iterdir"])
def test_what_cannot_be_read_in_the_tree_is_named(project, monkeypatch, call, error, said):
    project.write("one" if call == "open" else "one/file", "x")
    real = getattr(Path, call)

    def read(path, *arguments, **options):
        if path.name == "one":
            raise error
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, call, read)

    with pytest.raises(RunnerFailure, match=said) as refused:
        pack(project.folder, into=io.BytesIO(), folder="source")

    assert ".werckerignore" in refused.value.remedy


def test_a_list_of_ignored_files_in_another_encoding_is_named(project):
    project.write(".werckerignore", "").write_bytes(b"\xff\n")

    with pytest.raises(RunnerFailure, match="is not UTF-8"):
        pack(project.folder, into=io.BytesIO(), folder="source")


def test_a_file_that_shrinks_while_it_is_copied_is_named(project, monkeypatch):
    project.write("one", "x" * 100)
    monkeypatch.setattr(Path, "open", lambda *_, **__: io.BytesIO(b"x"))

    with pytest.raises(RunnerFailure, match="one cannot be read: unexpected end of data"):
        pack(project.folder, into=io.BytesIO(), folder="source")


def test_a_copy_that_nobody_takes_is_not_blamed_on_a_file(project):
    class Closed(io.RawIOBase):
        def write(self, data):
            raise BrokenPipeError

    project.write("one", "x")

    with pytest.raises(BrokenPipeError):
        pack(project.folder, into=Closed(), folder="source")


# --- Remote runs ---


@pytest.mark.parametrize(
    ("arguments", "variables", "read"),
    [
        (["build"], {}, True),
        (["dev"], {"CI": "true"}, True),
        (["build"], {"CI": "true"}, False),
        (["build"], {"WERCKER_REMOTE": "true"}, False),
        (["deploy"], {}, False),
        (["workflow", "all"], {}, False),
    ],
)
def test_a_remote_run_does_not_read_the_tracked_file(project, arguments, variables, read):
    step = "steps: [{script: {code: 'true'}}]"
    workflow = "workflows: [{name: all, pipelines: [{name: deploy}]}]"
    project.write("wercker.yml", f"box: b\nbuild: {{{step}}}\ndev: {{{step}}}\ndeploy: {{{step}}}\n{workflow}\n")
    project.write("ENVIRONMENT", "no assignment\n")

    told = project.run(*arguments, PATH=str(project.folder), **variables)

    # Whoever reads it stumbles over its line; the others get as far as the missing docker.
    assert ("ENVIRONMENT, line 1 is not NAME=value" in told.stderr) is read
    assert ("there is no Docker here" in told.stderr) is not read


def test_a_remote_build_of_changes_without_a_commit_is_said_loudly(project):
    project.write("wercker.yml", "box: b\nbuild: {steps: [{script: {code: 'true'}}]}\n")
    subprocess.run(["git", "init", "--quiet", project.folder], check=True)
    project.write("docker", "#!/bin/sh\nexit 1\n", 0o755)
    path = f"{project.folder}:/usr/bin:/bin"

    assert "in no commit" in project.run("build", PATH=path, WERCKER_REMOTE="true").stdout
    assert "in no commit" not in project.run("build", PATH=path).stdout
