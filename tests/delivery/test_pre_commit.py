"""The hook: which box it takes, that it starts one otherwise, and that a failing check keeps the commit out."""

import os
import re
import signal
import subprocess

import pytest

from tests.delivery.processes import runs, wait_until
from tests.delivery.wercker import ROOT

FILTERS = (
    "ps -q --filter ancestor=pitervergara/geodjango:nexchange --filter name=wercker-pipeline- --filter status=running"
)
DOCKER = """#!/bin/sh
echo "$@" >>docker.log
case $1 in
    ps) echo 1a2b ;;
    inspect) echo "$MOUNTED" ;;
    image) test -n "$BOX_IS_BUILT" ;;
    exec) if [ "$2 $EXEC_WAITS" = "--env yes" ]; then echo $$ >client; exec sleep 300; fi ;;
esac
"""
COMMIT = ["git", "commit", "--allow-empty", "--message", "a change"]
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "start_new_session": True}
# A check that has a child of its own, as npm and pytest have.
LONG = "#!/bin/sh\nsleep 300 & echo $! >{file}\nwait\n"


class Checkout:
    """A checkout with the hook, whose checks and whose docker only write down that they were called."""

    def __init__(self, folder):
        self.folder = folder
        self.programs = folder / "programs"
        self.write(".pre-commit.sh", (ROOT / ".pre-commit.sh").read_text())
        for name in ("bin/setup", "bin/lint", "bin/test", "bin/wercker", "programs/npm"):
            self.write(name, f'#!/bin/sh\necho "{name} $*" >>calls.log\necho said by {name}\n')
        subprocess.run(["git", "init", "--quiet", folder], check=True)
        (folder / ".git" / "hooks").mkdir(exist_ok=True)
        (folder / ".git" / "hooks" / "pre-commit").symlink_to("../../.pre-commit.sh")

    def write(self, name, text):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def environment(self, **variables):
        person = {
            f"GIT_{who}_{what}": "me@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        return {"PATH": f"{self.programs}:/usr/bin:/bin", "HOME": str(self.folder), **person, **variables}

    def commit(self, *, folder=None, **variables):
        env = self.environment(**variables)
        return subprocess.run(COMMIT, cwd=folder or self.folder, env=env, capture_output=True, text=True, check=False)

    def interrupt(self, signal_, *programs, only_the_hook=False, **variables):
        """Begin a commit, send a signal when these programs run; return the hook's status and which still run."""
        env = self.environment(**variables)
        command = [".git/hooks/pre-commit"] if only_the_hook else COMMIT
        commit = subprocess.Popen(command, cwd=self.folder, env=env, text=True, **PIPES)
        files = [self.folder / name for name in programs]
        wait_until(lambda: all(file.exists() and file.read_text().strip() for file in files))
        (os.kill if only_the_hook else os.killpg)(commit.pid, signal_)
        commit.communicate(timeout=20)
        numbers = [int(file.read_text()) for file in files]
        wait_until(lambda: not any(map(runs, numbers)))
        return commit.returncode, [name for name, number in zip(programs, numbers, strict=True) if runs(number)]

    def calls(self, log="calls.log"):
        file = self.folder / log
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def checkout(tmp_path):
    made = Checkout(tmp_path / "checkout")
    made.write("programs/docker", DOCKER)
    return made


def test_finds_the_running_box_by_the_described_filters_and_runs_in_it(checkout):
    done = checkout.commit(MOUNTED=str(checkout.folder))

    assert done.returncode == 0, done.stderr
    calls = checkout.calls("docker.log")
    assert calls[0] == FILTERS
    assert calls[-1].startswith("exec ")
    assert calls[-1].endswith("1a2b bash .pre-commit.sh --here")
    assert checkout.calls() == []


def test_a_box_that_mounts_another_checkout_is_left_alone_and_one_is_started(checkout, tmp_path):
    done = checkout.commit(MOUNTED=str(tmp_path), BOX_IS_BUILT="yes")

    assert done.returncode == 0, done.stderr
    assert not [call for call in checkout.calls("docker.log") if call.startswith("exec")]
    assert checkout.calls() == ["bin/wercker build --docker-local --pipeline pre-commit"]


def test_without_the_boxs_image_the_checks_run_on_this_machine(checkout):
    done = checkout.commit()

    assert done.returncode == 0, done.stderr
    assert "on this machine" in done.stdout + done.stderr
    assert sorted(checkout.calls()) == [
        "bin/lint ",
        "bin/setup ",
        "bin/test --fast --quiet",
        "programs/npm run-script test",
    ]


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("bin/lint", "static validation"),
        ("bin/test", "backend tests"),
        ("programs/npm", "frontend tests"),
    ],
)
def test_a_failing_check_is_shown_and_nothing_is_committed(checkout, program, name):
    checkout.write(program, "#!/bin/sh\necho the reason\nexit 1\n")

    done = checkout.commit()

    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"== {name} failed\nthe reason" in said
    assert f"not committed: {name} failed" in said
    heads = subprocess.run(
        ["git", "-C", checkout.folder, "rev-parse", "--verify", "HEAD"], capture_output=True, check=False
    )
    assert heads.returncode != 0


def test_what_git_tells_the_hook_does_not_reach_the_checks(checkout):
    checkout.write("bin/lint", "#!/bin/sh\nenv | grep '^GIT_\\(DIR\\|INDEX_FILE\\)' && exit 1\nexit 0\n")

    done = checkout.commit(GIT_INDEX_FILE=str(checkout.folder / ".git" / "index"))

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_commit_in_a_linked_worktree_is_checked_there(checkout, tmp_path):
    assert checkout.commit().returncode == 0
    second = tmp_path / "second"
    subprocess.run(
        ["git", "-C", checkout.folder, "worktree", "add", "--quiet", second], check=True, capture_output=True
    )
    (second / "bin").mkdir()
    for name in ("bin/setup", "bin/lint", "bin/test"):
        (second / name).write_text(f'#!/bin/sh\necho "second {name}" >>calls.log\n')
        (second / name).chmod(0o755)
    first = checkout.calls()

    done = checkout.commit(folder=second)

    assert done.returncode == 0, done.stdout + done.stderr
    assert checkout.calls() == first
    assert (second / "calls.log").read_text().splitlines()[:1] == ["second bin/setup"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("only_the_hook", [False, True])
def test_an_interrupted_commit_ends_every_check(checkout, number, only_the_hook):
    for program, file in (("bin/lint", "lint"), ("bin/test", "test"), ("programs/npm", "npm")):
        checkout.write(program, LONG.format(file=file))

    status, left = checkout.interrupt(number, "lint", "test", "npm", only_the_hook=only_the_hook)

    assert left == []
    if only_the_hook:
        assert status == 128 + number


def test_an_interrupted_commit_ends_the_set_up(checkout):
    checkout.write("bin/setup", LONG.format(file="setup"))

    assert checkout.interrupt(signal.SIGINT, "setup", only_the_hook=True) == (130, [])


def test_an_interrupted_commit_ends_its_own_box(checkout):
    checkout.write(
        "bin/wercker", "#!/bin/sh\ntrap 'echo cleaned >>calls.log; exit 143' TERM\n" + LONG.format(file="run")
    )

    status, left = checkout.interrupt(signal.SIGINT, "run", only_the_hook=True, BOX_IS_BUILT="yes")

    assert (status, left) == (130, [])
    assert checkout.calls() == ["cleaned"]


def test_an_interrupted_commit_ends_the_checks_inside_the_running_box(checkout):
    mounted = {"MOUNTED": str(checkout.folder), "EXEC_WAITS": "yes"}

    status, left = checkout.interrupt(signal.SIGINT, "client", only_the_hook=True, **mounted)

    assert (status, left) == (130, [])
    begun, ended = (call for call in checkout.calls("docker.log") if call.startswith("exec"))
    file = re.search(r"PRE_COMMIT_PID_FILE=(\S+)", begun)[1]
    assert ended == f"exec 1a2b bash -c kill -TERM $(cat {file})"


def test_the_checks_inside_a_box_say_which_process_ends_them(checkout, tmp_path):
    checkout.write("bin/lint", LONG.format(file="lint"))
    file = tmp_path / "pid"
    env = checkout.environment(PRE_COMMIT_PID_FILE=str(file))
    inside = subprocess.Popen(["bash", ".pre-commit.sh", "--here"], cwd=checkout.folder, env=env, **PIPES)
    assert wait_until(lambda: (checkout.folder / "lint").exists() and (checkout.folder / "lint").read_text().strip())

    os.kill(int(file.read_text()), signal.SIGTERM)
    inside.communicate(timeout=20)

    assert inside.returncode == 143
    assert wait_until(lambda: not runs(int((checkout.folder / "lint").read_text())))


def test_the_hook_can_be_run():
    assert os.access(ROOT / ".pre-commit.sh", os.X_OK)
