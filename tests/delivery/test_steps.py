"""What every script stands on (bin/lib/steps.sh): steps that end with their script, paths, sockets and files in a box."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.delivery.processes import runs, wait_until
from tests.sources import ROOT

SOURCE = "source bin/lib/steps.sh; source bin/lib/dependencies.sh;"


@pytest.fixture
def checkout(tmp_path):
    """A checkout of the scripts alone."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "bin", folder / "bin", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def start(checkout, script, **variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "WERCKER"))}
    return subprocess.Popen(
        ["bash", "-c", script],
        cwd=checkout,
        env={**kept, "GIT_CONFIG_GLOBAL": "/dev/null", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def run(checkout, script, **variables):
    running = start(checkout, SOURCE + script, **variables)
    told = running.communicate(timeout=60)
    return subprocess.CompletedProcess(script, running.returncode, *told)


def git(folder, *arguments):
    subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True)


# --- Steps and signals ---


# A function whose program has a child of its own, as npm and apt-get have.
LONG = SOURCE + "long() { sh -c 'sleep 300 & echo $! >child; wait'; };"


@pytest.mark.parametrize(("name", "status"), [("INT", 130), ("TERM", 143)])
@pytest.mark.parametrize("whom", ["the terminal's group", "the script alone"])
def test_an_interrupted_step_ends_what_it_started_and_the_callers_traps_run(checkout, name, status, whom):
    traps = "trap 'echo tidied' EXIT; trap 'echo INT; exit 130' INT; trap 'echo TERM; exit 143' TERM;"
    script = start(checkout, f"{LONG} {traps} step 'a step' long")
    assert wait_until(lambda: (checkout / "child").exists() and (checkout / "child").read_text().strip())
    child = int((checkout / "child").read_text())

    (os.killpg if whom == "the terminal's group" else os.kill)(script.pid, signal.Signals[f"SIG{name}"])
    said, _ = script.communicate(timeout=20)

    assert script.returncode == status
    assert said.endswith(f"{name}\ntidied\n")
    assert wait_until(lambda: not runs(child))


def test_an_interrupted_step_ends_a_script_without_traps(checkout):
    script = start(checkout, f"{LONG} step 'a step' long; echo 'it goes on'")
    assert wait_until(lambda: (checkout / "child").exists() and (checkout / "child").read_text().strip())

    os.kill(script.pid, signal.SIGTERM)

    assert "it goes on" not in script.communicate(timeout=20)[0]
    assert script.returncode == -signal.SIGTERM


def test_a_step_leaves_the_callers_traps_as_they_were(checkout):
    told = run(
        checkout,
        "trap 'echo \"mine\"; x' INT; trap '' TERM; before=$(trap -p); step one true; after=$(trap -p);"
        ' [[ $before == "$after" ]]',
    )

    assert told.returncode == 0, told.stdout


def test_a_signal_that_the_caller_ignores_does_not_end_a_step(checkout):
    command = "env --default-signal=TERM bash -c 'kill -TERM '$$'; sleep 1; echo went on'"

    told = run(checkout, f"trap '' TERM; step one {command}; cat var/log/one.log")

    assert told.returncode == 0, told.stderr
    assert told.stdout.endswith("went on\n")


def test_a_step_that_fails_shows_its_end_and_its_status(checkout):
    told = run(checkout, "step 'a step' bash -c 'echo the reason; exit 7'")

    assert told.returncode == 1
    assert "the reason" in told.stderr
    assert "the step 'a step' failed (status 7)." in told.stderr


# --- Paths ---


def test_a_path_is_meant_from_where_the_script_was_called(checkout):
    (checkout / "sub").mkdir()

    told = run(checkout, "", PATH=os.environ["PATH"])
    assert told.returncode == 0
    told = subprocess.run(
        ["bash", "-c", "source ../bin/lib/steps.sh; as_called one; as_called ../two; as_called /three; pwd"],
        cwd=checkout / "sub",
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.split() == [str(checkout / "sub/one"), str(checkout / "two"), "/three", str(checkout)]


@pytest.mark.parametrize(("script", "file"), [("place-output", "COMMIT")])
def test_an_output_folder_is_meant_from_where_the_step_was_called(checkout, script, file):
    (checkout / "sub").mkdir()
    for name in ("docker-compose.yml", "nginx.conf"):
        (checkout / name).touch()
    (checkout / "core").mkdir()
    for name in ("__init__", "database_roles", "networks", "redis_users"):
        shutil.copy(ROOT / "core" / f"{name}.py", checkout / "core")

    subprocess.run([f"../bin/steps/{script}", "out"], cwd=checkout / "sub", capture_output=True, check=True)

    assert (checkout / "sub" / "out" / file).exists()


# --- Sockets ---


@pytest.fixture
def box():
    """A box's folder with a short path, since a socket's name must fit below it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_sockets_of_a_box_are_not_in_the_mounted_tree(checkout, box):
    told = run(checkout, "socket_dir redis-test", WERCKER_ROOT=str(box))

    assert told.stdout.strip() == str(box / "run" / "sockets" / "redis-test")
    assert not (checkout / "var" / "sockets").exists()


def test_sockets_of_a_checkout_are_in_it(checkout, box):
    shutil.move(checkout, box / "c")

    assert run(box / "c", "socket_dir redis-test").stdout.strip() == str(box / "c/var/sockets/redis-test")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("foreign", ["sockets", "sockets/redis-test"])
def test_the_folder_that_belongs_to_somebody_else_is_named(checkout, box, foreign):
    folder = box / "run" / foreign
    folder.mkdir(parents=True)
    os.chown(folder, 65534, 65534)

    told = run(checkout, "socket_dir redis-test", WERCKER_ROOT=str(box))

    assert told.returncode == 1
    assert f"{folder} belongs to nobody, not to root." in told.stderr
    assert f"sudo rm -rf {folder}\n" in told.stderr


# --- Files, by Git ---


@pytest.fixture
def tracked(checkout):
    """The same as a repository, with a tracked, a new, an ignored and a deleted catalogue."""
    (checkout / ".gitignore").write_text("/var\nignored*\n")
    for name in ("tracked.po", "gone.po"):
        (checkout / name).touch()
    git(checkout, "init", "--quiet")
    git(checkout, "add", "--all")
    git(checkout, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "all")
    (checkout / "gone.po").unlink()
    for name in ("new one.po", "ignored.po"):
        (checkout / name).touch()
    return checkout


def test_lists_what_is_tracked_or_new(tracked):
    assert run(tracked, "list_files '*.po'").stdout.splitlines() == ["new one.po", "tracked.po"]


@pytest.mark.parametrize("script", ["files=$(list_files '*.po')", "compile_translations"])
def test_a_tree_that_git_does_not_know_is_an_error_and_not_an_empty_list(checkout, script):
    told = run(checkout, f"{script}; echo went on")

    assert told.returncode == 1
    assert "Git cannot list the files" in told.stderr
    assert "went on" not in told.stdout


def test_lint_does_not_pass_over_scripts_that_git_cannot_list(checkout):
    for name in ("ruff", "lint-imports", "python"):
        program = checkout / ".venv" / "bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    (checkout / "bin" / "setup").write_text("#!/bin/sh\n")

    told = run(checkout, "bin/lint")

    assert told.returncode == 1
    assert "Git cannot list the files" in told.stderr
    assert "clean" not in told.stdout.splitlines()


@pytest.fixture
def worktree(tracked, tmp_path):
    """A linked worktree as a box has it mounted: the folder that its .git names is not there."""
    git(tracked, "worktree", "add", "--quiet", tmp_path / "linked")
    hidden = tmp_path / "not in the box"
    tracked.rename(hidden)
    (tmp_path / "linked" / "new.po").touch()
    return tmp_path / "linked"


def test_a_linked_worktree_gets_a_repository_of_the_boxs_own(worktree, tmp_path):
    before = (worktree / ".git").read_text()

    told = run(worktree, "list_files '*.po'; git ls-files '*.po'", WERCKER_ROOT=str(tmp_path / "box"))

    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == ["gone.po", "new.po", "tracked.po"] * 2
    assert (worktree / ".git").read_text() == before
    (worktree / "later.po").touch()
    again = run(worktree, "env | grep ^GIT_DIR || true; git ls-files '*.po'", WERCKER_ROOT=str(tmp_path / "box"))
    assert again.stdout.splitlines() == ["gone.po", "later.po", "new.po", "tracked.po"]


def test_scripts_beside_each_other_may_need_that_repository(worktree, tmp_path):
    running = [start(worktree, f"{SOURCE} git ls-files '*.po'", WERCKER_ROOT=str(tmp_path / "box")) for _ in range(4)]

    for script in running:
        said, complained = script.communicate(timeout=60)
        assert (script.returncode, said.split()) == (0, ["gone.po", "new.po", "tracked.po"]), complained


def test_a_linked_worktree_whose_repository_is_there_keeps_it(tracked, tmp_path):
    git(tracked, "worktree", "add", "--quiet", tmp_path / "linked")
    (tmp_path / "linked" / "new.po").touch()

    told = run(tmp_path / "linked", "git ls-files '*.po'", WERCKER_ROOT=str(tmp_path / "box"))

    assert told.stdout.splitlines() == ["gone.po", "tracked.po"]


def test_outside_a_box_nothing_is_made_for_a_broken_worktree(worktree, tmp_path):
    told = run(worktree, "list_files '*.po'")

    assert told.returncode == 1
    assert "Git cannot list the files" in told.stderr
    assert not (tmp_path / "checkout").exists()
