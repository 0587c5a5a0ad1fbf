"""The hook: which box it takes, that it starts one otherwise, and that a failing check keeps the commit out."""

import os
import subprocess

import pytest

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
esac
"""


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

    def commit(self, *, folder=None, **variables):
        person = {
            f"GIT_{who}_{what}": "me@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        env = {"PATH": f"{self.programs}:/usr/bin:/bin", "HOME": str(self.folder), **person, **variables}
        command = ["git", "commit", "--allow-empty", "--message", "a change"]
        return subprocess.run(command, cwd=folder or self.folder, env=env, capture_output=True, text=True, check=False)

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


def test_the_hook_can_be_run():
    assert os.access(ROOT / ".pre-commit.sh", os.X_OK)
