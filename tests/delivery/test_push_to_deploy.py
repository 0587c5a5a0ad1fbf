"""git push to a repository made by bin/push-to-deploy: refused or deployed, one at a time, with the right variables."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from wercker.pipelines import read_config

from tests.delivery.wercker import BOX, ROOT

SECRET = "canary-9d41"


class Host:
    """A build host: a bare repository with its hooks, a target's file, and a clone from which somebody pushes."""

    def __init__(self, folder):
        self.folder = folder
        self.bare = folder / "site.git"
        self.clone = folder / "clone"
        self.target = folder / "far.env"
        self.target.touch(mode=0o600)
        self.target.write_text(
            f"X_DOCKER_IMAGE_TAG=plain\nX_DEST_HOST_ADDR=far\nXXX_SECRET_KEY={SECRET}\nXXX_DOCKER_HUB_PASSWORD=pw\n"
        )
        subprocess.run(["git", "init", "--quiet", "--initial-branch", "main", self.clone], check=True)

    def environment(self):
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "X_", "XXX_", "WERCKER"))
        }
        person = {
            f"GIT_{who}_{what}": "pusher@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        return {**kept, **person}

    def run(self, *command, check=True):
        ran = subprocess.run(
            command, cwd=self.clone, env=self.environment(), capture_output=True, text=True, check=False, timeout=300
        )
        if check:
            assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran

    def set_up(self, *pairs):
        return self.run(
            ROOT / "bin" / "push-to-deploy", self.bare, *(pairs or (f"main={self.target}:live",)), check=False
        )

    def commit(self, **codes):
        """Commit a wercker.yml whose pipelines do what `codes` say; the others succeed."""
        keep = 'echo "$WERCKER_GIT_COMMIT" >"$WERCKER_OUTPUT_DIR/COMMIT"'
        steps = {"build": keep, "static_validation": "true", "tests": "true", "deploy": "true", **codes}
        pipelines = {
            name.replace("_", "-"): {"steps": [{"script": {"name": f"the {name}", "code": code}}]}
            for name, code in steps.items()
        }
        # A workflow that checks nothing: what is checked is not the pushed file's to say.
        raw = {"box": BOX, **pipelines, "workflows": [{"name": "check", "pipelines": []}]}
        (self.clone / "wercker.yml").write_text(json.dumps(raw))
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", "a change")
        return self.run("git", "rev-parse", "HEAD").stdout.strip()

    def push(self, *branches, check=False):
        return self.run("git", "push", self.bare, *(f"HEAD:{name}" for name in branches or ("main",)), check=check)

    def head(self, branch="main"):
        return self.run(
            "git", "--git-dir", self.bare, "rev-parse", "--quiet", "--verify", branch, check=False
        ).stdout.strip()


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


@pytest.fixture
def no_engine(tmp_path, monkeypatch):
    """A `docker` on PATH that fails when it is run: being there is all that the set-up asks for."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "docker").write_text("#!/bin/sh\nexit 97\n")
    (programs / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


# --- Set-up ---


def test_sets_up_hooks_twice_alike(host, no_engine):
    first, second = host.set_up(), host.set_up()

    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert first.stdout == second.stdout
    assert os.access(host.bare / "hooks" / "pre-receive", os.X_OK)
    assert os.access(host.bare / "hooks" / "post-receive", os.X_OK)
    assert host.bare.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("main", "is not BRANCH=FILE"),
        ("main={folder}/none.env", "there is no file"),
        ("ma..in={folder}/far.env", "cannot be a branch's name"),
        ("main={folder}/open.env", "others may read it"),
    ],
)
def test_refuses_a_target_that_cannot_be_one_and_makes_nothing(host, pair, said):
    (host.folder / "open.env").write_text("X_A=1\n")

    refused = host.set_up(pair.format(folder=host.folder))

    assert refused.returncode == 1
    assert said in refused.stderr
    assert not host.bare.exists()


@pytest.mark.parametrize("name", ["pre-receive", "post-receive"])
def test_a_hook_of_somebody_elses_stays_and_how_to_keep_it_is_said(host, no_engine, name):
    host.run("git", "init", "--quiet", "--bare", host.bare)
    hook = host.bare / "hooks" / name
    hook.write_text("#!/bin/sh\necho theirs\n")

    refused = host.set_up()

    assert refused.returncode == 1
    assert f"{hook} is a hook of somebody else's" in refused.stderr
    assert "To keep it" in refused.stderr
    assert hook.read_text() == "#!/bin/sh\necho theirs\n"
    assert not (host.bare / "nexchange").exists()


def test_a_hook_that_is_a_link_is_not_written_through(host, no_engine):
    host.set_up()
    hook, shared = host.bare / "hooks" / "pre-receive", host.folder / "shared"
    hook.rename(shared)
    hook.symlink_to(shared)
    shared.write_text(shared.read_text() + "# theirs\n")

    assert host.set_up().returncode == 1
    assert shared.read_text().endswith("# theirs\n")


def test_a_hook_of_an_older_version_of_ours_is_replaced(host, no_engine):
    host.set_up()
    hook = host.bare / "hooks" / "pre-receive"
    new = hook.read_text()
    hook.write_text(new.replace("build", "older"))

    assert host.set_up().returncode == 0
    assert hook.read_text() == new


def test_relative_paths_are_the_callers(host, no_engine):
    (host.clone / "own.env").touch(mode=0o600)

    done = host.run(ROOT / "bin" / "push-to-deploy", "../near.git", "main=own.env")

    assert (host.folder / "near.git" / "hooks" / "pre-receive").exists()
    assert f"the target of {host.clone / 'own.env'}" in done.stdout


def test_a_tag_that_is_none_is_refused(host, no_engine):
    for tag in ("two words", "a,b", "-x", "x" * 88):
        assert "is not BRANCH=FILE[:TAG]" in host.set_up(f"main={host.target}:{tag}").stderr
    assert not host.bare.exists()


def test_a_branch_without_a_target_may_be_pushed_by_force(host, no_engine):
    host.set_up()
    host.commit()
    host.commit(build="false")
    host.push("feature", check=True)
    host.run("git", "reset", "--quiet", "--hard", "HEAD~1")
    other = host.commit(tests="false")

    host.run("git", "push", "--force", host.bare, "HEAD:feature")

    assert host.head("feature") == other


def test_a_branch_without_a_target_is_only_stored(host, no_engine):
    host.set_up()
    commit = host.commit(build="false")

    pushed = host.push("other", check=True)

    assert "refs/heads/other has no target" in pushed.stderr
    assert host.head("other") == commit


def test_a_branch_that_is_not_named_any_more_loses_its_target(host, no_engine):
    host.set_up(f"main={host.target}", f"old/one={host.target}:tag")

    again = host.set_up(f"main={host.target}")

    assert "a push to old/one deploys no more" in again.stdout
    host.commit(build="false")
    assert "refs/heads/old/one has no target" in host.push("old/one", check=True).stderr


# --- Pushes, with a runner that only says what it was called with ---

RUNNER = """
import os, sys, time
from pathlib import Path
print("runner", *sys.argv[1:], "in", os.getcwd(), flush=True)
asked = " ".join(sys.argv[3:])
calls = Path(__file__).with_name("calls")
if asked.startswith("build"):
    print(Path(sys.argv[sys.argv.index("--environment") + 1]).read_text(), flush=True)
with calls.open("a") as log:
    print(os.environ["WERCKER_GIT_BRANCH"], asked, file=log)
if asked == "build --artifacts --push-later":
    Path(".wercker/latest/output").mkdir(parents=True, exist_ok=True)
    kept = os.environ.get("KEPT_COMMIT", os.environ["WERCKER_GIT_COMMIT"])
    Path(".wercker/latest/output/COMMIT").write_text(kept + chr(10))
    calls.with_name("running").write_text(str(os.getpid()))
    time.sleep(float(os.environ.get("SLEEP_S", "0")))
sys.exit(os.environ.get("FAIL") == os.environ["WERCKER_GIT_BRANCH"] + " " + asked)
"""


@pytest.fixture
def hooked(host, no_engine):
    host.set_up(f"main={host.target}", f"a/b={host.target}", f"a-b={host.target}")
    (host.bare / "nexchange" / "bin" / "wercker").write_text(RUNNER)
    return host


PIPELINES = ["build --artifacts --push-later", "build --pipeline static-validation", "build --pipeline tests"]


def calls_of(host):
    file = host.bare / "nexchange" / "bin" / "calls"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.slow
def test_what_is_checked_is_named_by_the_hook_and_not_by_the_pushed_workflow(hooked):
    hooked.commit()

    hooked.push(check=True)

    deploy = "main deploy --deploy-target far"
    assert calls_of(hooked) == [*(f"main {pipeline}" for pipeline in PIPELINES), "main push-image", deploy]


@pytest.mark.parametrize("failing", PIPELINES)
def test_nothing_runs_after_a_pipeline_that_fails_and_the_plain_tag_stays(hooked, monkeypatch, failing):
    monkeypatch.setenv("FAIL", f"main {failing}")
    hooked.commit()

    refused = hooked.push()

    assert refused.returncode != 0
    assert hooked.head() == ""
    # Only the pipeline deploy moves the plain tag (below): it was not asked for.
    assert calls_of(hooked) == [f"main {pipeline}" for pipeline in PIPELINES[: PIPELINES.index(failing) + 1]]


def test_only_the_pipeline_deploy_moves_the_plain_tag():
    pipelines = read_config(ROOT / "wercker.yml").pipelines
    steps = {name: [step.properties for step in pipeline.steps] for name, pipeline in pipelines.items()}

    assert [name for name in steps if any("promote" in step.get("code", "") for step in steps[name])] == ["deploy"]
    pushed = {name: step["tag"] for name in steps for step in steps[name] if "tag" in step}
    assert pushed == {"build": "$IMAGE_TAG"}  # TAG-<commit>


def test_of_several_branches_in_one_push_none_is_accepted_when_one_fails(hooked, monkeypatch):
    monkeypatch.setenv("FAIL", "a-b build --pipeline tests")
    hooked.commit()

    refused = hooked.push("main", "a-b", "feature")

    assert refused.returncode != 0
    assert "the pipelines of a-b failed" in refused.stderr
    assert {call.split()[0] for call in calls_of(hooked)} >= {"a-b"}
    assert [hooked.head(branch) for branch in ("main", "a-b", "feature")] == ["", "", ""]
    assert not [call for call in calls_of(hooked) if "deploy" in call]


def test_an_output_of_another_commit_is_refused_by_name(hooked, monkeypatch):
    hooked.commit()
    monkeypatch.setenv("KEPT_COMMIT", "0123abc")

    refused = hooked.push()

    assert refused.returncode != 0
    assert "the pipeline build of main kept no output of" in refused.stderr
    assert "its file COMMIT says '0123abc'" in refused.stderr
    assert hooked.head() == ""


@pytest.mark.slow
def test_a_deploy_again_never_takes_the_output_of_another_commit(hooked):
    hooked.commit()
    hooked.push(check=True)
    (hooked.bare / "nexchange" / "work" / "main" / ".wercker" / "latest" / "output" / "COMMIT").write_text("older\n")
    environment = {**hooked.environment(), "KEPT_COMMIT": "older"}
    again = [hooked.bare / "nexchange" / "again", "main"]

    refused = subprocess.run(again, env=environment, capture_output=True, text=True, check=False)

    assert refused.returncode != 0
    assert "its file COMMIT says 'older'" in refused.stderr
    assert len([call for call in calls_of(hooked) if "deploy" in call]) == 1  # the push's own


@pytest.mark.slow
def test_checks_know_what_a_build_takes_and_nothing_else_of_the_target(hooked):
    hooked.target.write_text(hooked.target.read_text() + "X_SERVICES_WAIT_SECONDS=7\n")
    hooked.commit()

    told = hooked.push(check=True).stderr

    assert "X_SERVICES_WAIT_SECONDS=7" in told
    assert "X_DOCKER_IMAGE_TAG=plain" in told
    assert "DOCKER_HUB_PASSWORD" not in told  # whoever has it moves any tag
    assert SECRET not in told
    assert not (hooked.bare / "nexchange" / "build.env").exists()


@pytest.mark.slow
def test_branches_whose_names_look_alike_work_apart(hooked):
    hooked.commit()

    folders = set()
    for branch in ("a/b", "a-b"):
        lines = hooked.push(branch, check=True).stderr.splitlines()
        folders.add(next(line.rpartition(" in ")[2] for line in lines if "build --artifacts --push-later in" in line))

    assert len(folders) == 2


def test_an_interrupted_push_leaves_no_password_behind(hooked):
    hooked.commit()
    variables = hooked.bare / "nexchange" / "build.env"
    push = subprocess.Popen(
        ["git", "push", hooked.bare, "HEAD:main"],
        cwd=hooked.clone,
        env={**hooked.environment(), "SLEEP_S": "20"},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    limit = time.monotonic() + 20
    while not variables.exists() and time.monotonic() < limit:
        time.sleep(0.002)  # early: while the hook waits for the subshell that writes the file
    assert variables.stat().st_mode & 0o077 == 0

    os.killpg(push.pid, signal.SIGTERM)  # Git's processes and the hook, as a closed terminal would
    push.wait(20)

    while variables.exists() and time.monotonic() < limit:
        time.sleep(0.02)
    assert not variables.exists()
    assert hooked.head() == ""


def test_a_hook_that_is_ended_ends_the_pipeline_it_runs(hooked):
    hooked.commit()
    running = hooked.bare / "nexchange" / "bin" / "running"
    push = subprocess.Popen(
        ["git", "push", hooked.bare, "HEAD:main"],
        cwd=hooked.clone,
        env={**hooked.environment(), "SLEEP_S": "60"},
        stderr=subprocess.DEVNULL,
    )
    limit = time.monotonic() + 20
    while not running.exists() and time.monotonic() < limit:
        time.sleep(0.02)
    runner = int(running.read_text())

    listener = subprocess.run(
        ["pgrep", "-f", f"{hooked.bare}.*/listener.py"], capture_output=True, text=True, check=True
    )
    hook = Path(f"/proc/{listener.stdout.split()[0]}/cmdline").read_bytes().split(b"\0")[2]
    os.kill(int(hook), signal.SIGTERM)
    push.wait(20)

    while Path(f"/proc/{runner}").exists() and time.monotonic() < limit:
        time.sleep(0.02)
    assert not Path(f"/proc/{runner}").exists()


def test_a_push_waits_for_another_one_only_as_long_as_it_was_told(hooked, monkeypatch):
    hooked.commit()
    monkeypatch.setenv("PUSH_WAIT_SECONDS", "1")
    lock = hooked.bare / "nexchange" / "lock"
    with subprocess.Popen(["flock", lock, "cat"], stdin=subprocess.PIPE) as holding:
        while subprocess.run(["flock", "--nonblock", lock, "true"], check=False).returncode == 0:
            pass
        refused = hooked.push()
        holding.stdin.close()

    assert refused.returncode != 0
    assert "the other push has not ended within 1 s" in refused.stderr
    assert hooked.head() == ""


def test_a_tree_that_cannot_be_unpacked_refuses_the_push(hooked):
    hooked.commit()
    work = hooked.bare / "nexchange" / "work"
    work.write_text("a file where the folder should be")

    refused = hooked.push()

    assert refused.returncode != 0
    assert "push refused" in refused.stderr
    assert "runner" not in refused.stderr
    assert hooked.head() == ""


@pytest.mark.slow
def test_a_push_that_would_lose_commits_is_refused_before_anything_runs(hooked):
    hooked.commit()
    hooked.commit(build="true")
    hooked.push(check=True)
    kept = hooked.head()
    hooked.run("git", "reset", "--quiet", "--hard", "HEAD~1")
    hooked.commit(build="false")

    refused = hooked.run("git", "push", "--force", hooked.bare, "HEAD:main", check=False)

    assert refused.returncode != 0
    assert "would lose commits that were deployed" in refused.stderr
    assert "runner" not in refused.stderr
    assert hooked.head() == kept


# --- Pushes ---


@pytest.mark.docker
def test_a_push_is_checked_kept_and_deployed(host):
    host.set_up()
    show = (
        'echo "deploying $DOCKER_IMAGE_TAG to $DEST_HOST_ADDR $WERCKER_DEPLOYTARGET_NAME $(cat COMMIT) <$SECRET_KEY>"'
    )
    commit = host.commit(
        tests='echo "tests know: ${SECRET_KEY:-no secret} ${DOCKER_HUB_PASSWORD:+a password}"', deploy=show
    )

    pushed = host.push(check=True)

    assert host.head() == commit
    assert "tests know: no secret \n" in pushed.stderr
    assert f"deploying live to far far {commit} <[SECRET_KEY hidden]>" in pushed.stderr
    assert SECRET not in pushed.stderr
    order = [pushed.stderr.index(f"pipeline {name}, run") for name in ("build", "static-validation", "tests", "deploy")]
    assert order == sorted(order)


@pytest.mark.docker
@pytest.mark.parametrize("failing", ["build", "static_validation", "tests"])
def test_a_push_that_fails_a_pipeline_is_refused_and_changes_nothing(host, failing):
    host.set_up()
    good = host.commit()
    host.push(check=True)

    host.commit(**{failing: "echo broken; false"}, deploy="echo never")
    refused = host.push()

    assert refused.returncode != 0
    assert "push refused: the pipelines of main failed" in refused.stderr
    assert "never" not in refused.stderr
    assert host.head() == good


@pytest.mark.docker
def test_a_failed_deploy_keeps_the_commit_and_can_be_repeated(host):
    host.set_up()
    commit = host.commit(deploy='test -n "$MENDED"')

    pushed = host.push(check=True)
    host.target.write_text(host.target.read_text() + "X_MENDED=yes\n")
    again = host.run(host.bare / "nexchange" / "again", "main")

    assert "the deploy FAILED" in pushed.stderr
    assert host.head() == commit
    assert "pipeline deploy passed" in again.stdout
    assert "pipeline build" not in again.stdout


@pytest.mark.docker
def test_a_branch_with_a_target_cannot_be_deleted(host):
    host.set_up()
    host.commit()
    host.push(check=True)

    refused = host.run("git", "push", host.bare, ":main", check=False)

    assert refused.returncode != 0
    assert "it cannot be deleted" in refused.stderr


@pytest.mark.docker
def test_of_two_pushes_at_once_the_second_waits_and_is_told_that_the_branch_has_moved(host):
    host.set_up()
    host.commit(build='sleep 4; echo "$WERCKER_GIT_COMMIT" >"$WERCKER_OUTPUT_DIR/COMMIT"')
    command = ["git", "push", host.bare, "HEAD:main"]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "env": host.environment()}
    first = subprocess.Popen(command, cwd=host.clone, **pipes)
    time.sleep(2)
    kept = host.run("git", "rev-parse", "HEAD").stdout.strip()
    host.commit(tests="echo second")
    second = subprocess.Popen(command, cwd=host.clone, **pipes)

    told, told_second = first.communicate(timeout=200)[1], second.communicate(timeout=200)[1]

    assert first.returncode == 0, told
    assert "another push is under way" in told_second
    assert second.returncode != 0
    assert "main has moved meanwhile" in told_second
    assert host.head() == kept


@pytest.mark.docker
def test_an_interrupted_push_leaves_neither_a_change_nor_a_container(host):
    host.set_up()
    host.commit(build="echo started; for i in $(seq 400); do echo $i; sleep 0.3; done")
    push = subprocess.Popen(
        ["git", "push", host.bare, "HEAD:main"],
        cwd=host.clone,
        env={**host.environment(), "PUSH_DEAF_SECONDS": "3"},
        stderr=subprocess.PIPE,
        text=True,
    )
    seen = ""
    while "started" not in seen:
        seen += push.stderr.readline()
    run = next(line.split()[-1] for line in seen.splitlines() if ", run " in line)
    push.kill()
    push.wait()

    left, deadline = "?", time.monotonic() + 60
    while left and time.monotonic() < deadline:
        time.sleep(1)
        command = ["docker", "ps", "--all", "--quiet", "--filter", f"name={run}"]
        left = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert left == ""
    assert host.head() == ""
