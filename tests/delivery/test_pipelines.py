"""wercker.yml and the scripts its steps call, as far as that shows without an engine."""

import os
import re
import subprocess

import pytest
from wercker.pipelines import check_steps, read_config

from tests.delivery.wercker import ROOT
from tests.house.test_environment import names_in_environment

STEPS = ROOT / "bin" / "steps"
CONFIG = read_config(ROOT / "wercker.yml")
EVERY = [
    "export django settings module",
    "wait for the services",
    "create static and media root",
    "install python requirements",
]


def run(*command, cwd=ROOT, **variables):
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def source(script, *names, **variables):
    """Source a step as the pipeline's bash does and print what it exports."""
    show = "; ".join(f'printf "%s=%s\\n" {name} "${{{name}:-}}"' for name in names)
    return run("bash", "-e", "-c", f"source {STEPS / script}; env >/dev/null; {show}", **variables)


def names_of(pipeline):
    return [step.name for step in CONFIG.pipelines[pipeline].steps]


def target_lines():
    lines = (ROOT / "targets" / "example.env").read_text().splitlines()
    return {match[2]: match for line in lines if (match := re.fullmatch(r"#?(X|XXX)_([A-Z0-9_]+)=(.*)", line))}


# --- The file ---


def test_nothing_in_the_file_gets_lost_under_the_genuine_command_line():
    assert CONFIG.warnings == []
    for pipeline in CONFIG.pipelines.values():
        check_steps(pipeline)


def test_every_pipeline_runs_in_the_one_box():
    assert {pipeline.box.reference for pipeline in CONFIG.pipelines.values()} == {"pitervergara/geodjango:nexchange"}


def test_the_pipelines_do_what_the_description_says_in_its_order():
    begin = [*EVERY, "bower", "compile translations", "migrations"]

    assert names_of("dev")[:7] == begin
    assert names_of("dev")[-2:] == ["runserver", "stop workers, beat and local nodes"]
    assert names_of("build")[1:8] == begin
    assert names_of("build")[8:] == [
        "collectstatic",
        "echo python information",
        "copy files",
        "place compose and nginx files",
        "docker build",
        "docker push",
    ]
    assert names_of("tests")[-3:] == ["migrations and fixtures", "backend tests", "frontend tests"]
    assert names_of("deploy") == ["check the variables", "promote the image", "do deploy"]


def test_steps_are_lines_that_call_scripts():
    for pipeline in CONFIG.pipelines.values():
        for step in pipeline.steps:
            code = step.properties.get("code", "").strip()
            assert code.count("\n") < 2, code
            for script in re.findall(r"(?:^|\s)((?:bin|\./)[\w/.-]+)", code, flags=re.MULTILINE):
                path = ROOT / script
                sourced = f"source {script}" in code
                assert path.is_file(), script
                assert sourced or os.access(path, os.X_OK), script


@pytest.mark.parametrize(
    ("pipeline", "module"), [("dev", "settings_dev"), ("build", "settings_prod"), ("tests", "settings_test")]
)
def test_each_pipeline_has_its_settings_module(pipeline, module):
    codes = [step.properties.get("code", "") for step in CONFIG.pipelines[pipeline].steps]

    assert f"source bin/steps/settings nexchange.{module}" in codes


def test_no_tracked_value_holds_a_dollar_which_the_genuine_program_would_expand():
    assert [name for name, value in names_in_environment().items() if "$" in value] == []


# --- Variables ---


def test_missing_variables_are_named_all_of_them():
    told = run(STEPS / "require", "A", "B", "C|D", "E|F", A="set", F="set")

    assert told.returncode == 1
    assert re.findall(r"not set: (.*)", told.stderr) == ["B", "C or D"]


def test_the_misspelt_tag_alone_is_refused_with_the_hint():
    told = run(STEPS / "require", "DOCKER_IMAGE_TAG", DOCKER_IAMGE_TAG="1")

    assert told.returncode == 1
    assert "spell it DOCKER_IMAGE_TAG" in told.stderr


@pytest.mark.parametrize("missing", ["DOCKER_HUB_REPO", "DOCKER_IMAGE_TAG", "WERCKER_GIT_COMMIT"])
def test_a_remote_build_fails_naming_a_variable_it_lacks(missing):
    given = {"DOCKER_HUB_REPO": "a/b", "DOCKER_IMAGE_TAG": "t"}
    given["WERCKER_GIT_COMMIT"] = "abc"
    del given[missing]

    told = source("image-tag", WERCKER_REMOTE="true", **given)

    assert told.returncode != 0
    assert f"not set: {missing}" in told.stderr


@pytest.mark.parametrize(
    ("repository", "address"),
    [
        ("onitsoft/odd-name", ""),
        ("registry.example:5000/odd/name", "https://registry.example:5000/v2/"),
        ("localhost/odd", "https://localhost/v2/"),
    ],
)
def test_the_tag_of_a_build_names_its_commit_and_its_registry(repository, address):
    told = source(
        "image-tag",
        *("IMAGE_TAG", "REGISTRY_URL", "DOCKER_HUB_REPO"),
        DOCKER_IMAGE_TAG="odd.tag",
        DOCKER_HUB_REPO=repository,
        WERCKER_GIT_COMMIT="abc",
    )

    assert f"IMAGE_TAG=odd.tag-abc\nREGISTRY_URL={address}\nDOCKER_HUB_REPO={repository}\n" in told.stdout


@pytest.mark.parametrize("tag", ["latest v2", "latest,v2", "-v2", ".v2", "v2\n", "a/b", "v:2", "x" * 88])
def test_a_tag_that_would_be_several_or_none_is_refused_before_anything_is_built(tag):
    told = source("image-tag", "IMAGE_TAG", DOCKER_IMAGE_TAG=tag, WERCKER_GIT_COMMIT="abc")

    assert told.returncode == 1
    assert f"DOCKER_IMAGE_TAG is '{tag}'" in told.stderr
    assert "One word of at most 87" in told.stderr


def test_the_longest_tag_leaves_room_for_the_commit():
    told = source("image-tag", "IMAGE_TAG", DOCKER_IMAGE_TAG="_" + "x" * 86, WERCKER_GIT_COMMIT="c" * 40)

    assert len(told.stdout.splitlines()[-1].removeprefix("IMAGE_TAG=")) == 128


def test_a_deploy_without_a_builds_output_says_so(tmp_path):
    told = run("bash", "-e", "-c", f"source {STEPS / 'deploy-variables'}", cwd=tmp_path)

    assert told.returncode == 1
    assert "bin/wercker build --artifacts" in told.stderr


def test_a_deploy_names_each_variable_it_lacks(tmp_path):
    (tmp_path / "COMMIT").write_text("abc\n")
    (tmp_path / "bin").symlink_to(ROOT / "bin")

    told = run("bash", "-e", "-c", "source bin/steps/deploy-variables", cwd=tmp_path, SSH_USER="me")

    missing = re.findall(r"not set: (.*)", told.stderr)
    assert told.returncode == 1
    assert "PEM_FILE_CONTENT or PEM_FILE_CONTENT_PRIVATE" in missing
    assert "SSH_USER" not in missing
    either = {"PEM_FILE_CONTENT_PRIVATE", "BACKUP_PASSPHRASE_FILE"}
    assert {name for line in missing for name in line.split(" or ")} <= {*target_lines()} | either
    assert "BACKUP_PASSPHRASE or BACKUP_PASSPHRASE_FILE" in missing


@pytest.fixture
def tree(tmp_path):
    """A copy of what bin/steps/settings reads, where it may write."""
    for name in ("ENVIRONMENT", "targets", "bin"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def settings(tree, module, *names, **variables):
    show = "; ".join(f'printf "%s=%s\\n" {name} "${{{name}:-}}"' for name in names)
    home = str(tree)
    return run(
        "bash", "-e", "-c", f"source bin/steps/settings {module}; {show}", cwd=tree, **{**variables, "HOME": home}
    )


@pytest.mark.parametrize(
    ("module", "kept"),
    [
        (
            "nexchange.settings_prod",
            r"DOCKER_\w+|BASE_IMAGE|SERVICES_WAIT_SECONDS",
        ),  # what an image is built and pushed with
        ("nexchange.settings_test", r"SERVICES_WAIT_SECONDS|TESTS"),
    ],
)
def test_builds_and_tests_know_no_value_of_the_target(tree, module, kept):
    names = sorted({*target_lines()} - {"DJANGO_SETTINGS_MODULE"})

    shown = settings(tree, module, *names, **dict.fromkeys(names, "canary-1b")).stdout.splitlines()

    assert len(shown) == len(names)
    known = {line.partition("=")[0] for line in shown if line.endswith("=canary-1b")}
    assert known == {name for name in names if re.fullmatch(kept, name)}


def test_builds_sign_with_keys_of_their_own(tree):
    first, second = (
        settings(tree, "nexchange.settings_prod", "SECRET_KEY", SECRET_KEY="canary-1b").stdout for _ in "ab"
    )

    assert first.startswith("SECRET_KEY=build-")
    assert second.startswith("SECRET_KEY=build-")
    assert first != second


def test_a_remote_build_takes_the_settings_module_of_its_variables(tree):
    given = {"DJANGO_SETTINGS_MODULE": "nexchange.settings_odd"}

    remote = settings(tree, "nexchange.settings_prod", *given, WERCKER_REMOTE="true", **given)
    local = settings(tree, "nexchange.settings_prod", *given, **given)

    assert remote.stdout == "DJANGO_SETTINGS_MODULE=nexchange.settings_odd\n"
    assert local.stdout == "DJANGO_SETTINGS_MODULE=nexchange.settings_prod\n"


def test_the_agent_is_off_without_a_key(tree):
    with_key = settings(tree, "nexchange.settings_dev", "NEW_RELIC_ENABLED", NEW_RELIC_LICENSE_KEY="k")
    without = settings(tree, "nexchange.settings_dev", "NEW_RELIC_ENABLED")

    assert (with_key.stdout, without.stdout) == ("NEW_RELIC_ENABLED=\n", "NEW_RELIC_ENABLED=false\n")


# --- Targets ---


def test_a_targets_file_is_ignored_by_git_and_its_example_is_not():
    told = run("git", "check-ignore", "targets/production.env", "targets/example.env")

    assert told.stdout == "targets/production.env\n"


def test_the_example_marks_every_secret_and_holds_none():
    for name, match in target_lines().items():
        secret = re.search(r"PASSWORD|PASSPHRASE|SECRET|TOKEN_KEY|QUOTE_KEY|PEM_FILE|LICENSE_KEY|RPC_URL", name)
        secret = secret and not name.endswith("_FILE")
        assert (match[1] == "XXX") == bool(secret), name
        assert not (secret and match[3]), name


def test_the_example_lists_every_variable_of_the_description():
    described = """PEM_FILE_CONTENT SSH_USER DEST_HOST_ADDR DATABASE_CONTAINER POSTGIS_ENV_POSTGRES_USER GUNICORN_PORT
        POSTGIS_ENV_POSTGRES_PASSWORD POSTGIS_ENV_POSTGRES_DB VOLUMES_PARAM PORTS_PARAM DOCKER_HUB_USER DOCKER_HUB_PASSWORD
        DOCKER_HUB_REPO NEW_RELIC_CONFIG_FILE NEW_RELIC_ENVIRONMENT NEW_RELIC_LICENSE_KEY DOCKER_IMAGE_TAG
        DJANGO_SETTINGS_MODULE"""

    assert set(described.split()) <= set(target_lines())


# --- The hosted CI ---


def test_the_hosted_ci_calls_the_same_scripts_and_holds_no_value():
    text = (ROOT / ".github" / "workflows" / "delivery.yml").read_text()

    called = re.findall(r"bin/[a-z-]+", text)
    assert {"bin/images", "bin/wercker"} == set(called)
    for workflow in re.findall(r"bin/wercker .*workflow (\w+)", text):
        assert workflow in CONFIG.workflows
    assert re.findall(r"secrets\.(\w+)", text) == ["TARGET_ENV"]


# --- Output and hook ---


def test_the_output_holds_what_deploy_needs_and_no_environment(tmp_path):
    told = run(STEPS / "place-output", tmp_path / "output", WERCKER_GIT_COMMIT="abc")

    assert told.returncode == 0, told.stderr
    placed = {path.name for path in (tmp_path / "output").iterdir()}
    assert {"bin", "docker-compose.yml", "nginx.conf", "COMMIT"} <= placed
    assert (tmp_path / "output" / "COMMIT").read_text() == "abc\n"
    assert not [
        path for path in (tmp_path / "output").rglob("*") if path.name == "ENVIRONMENT" or path.suffix == ".env"
    ]


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / ".pre-commit.sh").touch()
    (tmp_path / "bin" / "steps").mkdir(parents=True)
    (tmp_path / "bin" / "lib").symlink_to(ROOT / "bin" / "lib")
    (tmp_path / "bin" / "steps" / "link-hook").write_bytes((STEPS / "link-hook").read_bytes())
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


def test_the_hook_is_linked_once(checkout):
    for _ in range(2):
        assert run("bash", "bin/steps/link-hook", cwd=checkout).returncode == 0

    assert (checkout / ".git" / "hooks" / "pre-commit").resolve() == checkout / ".pre-commit.sh"


def test_a_hook_of_somebody_elses_stays(checkout):
    hook = checkout / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("theirs")

    told = run("bash", "bin/steps/link-hook", cwd=checkout)

    assert hook.read_text() == "theirs"
    assert "another hook and stays" in told.stdout
