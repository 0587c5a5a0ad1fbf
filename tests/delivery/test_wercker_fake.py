"""How a run ends and whose its files are, on a docker without an engine: the programs, signals and owners are real."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.delivery.wercker import PROGRAM, FakeBox, Project

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
DEVELOPER = 1234


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)


@pytest.fixture
def box(tmp_path):
    return FakeBox(tmp_path / "box")


def config(*steps, pipeline="build", **rest):
    return json.dumps({"box": "b", **rest, pipeline: {"steps": list(steps)}})  # JSON is YAML


def script(code, name="a step"):
    return {"script": {"name": name, "code": code}}


def read_until(process, line):
    seen = ""
    while f"{line}\n" not in seen:
        told = process.stdout.readline()
        assert told, seen
        seen += told
    return seen


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def owners(folder):
    return {path.relative_to(folder).as_posix(): path.lstat().st_uid for path in [folder, *folder.rglob("*")]}


# --- Stopping a step ---

# A program as bin/deploy is one: it has moved something, and its trap moves it back.
MOVES = """#!/usr/bin/env bash
trap 'sleep 0.5; echo moved back; echo trap >>"$BOX_FOLDER/notes"; exit 143' TERM
echo moved
for i in {1..200}; do sleep 0.1; done
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_step_does_what_its_traps_say_before_the_box_goes(project, box, number):
    project.write("moves", MOVES, 0o755)
    project.write("wercker.yml", config(script("./moves; echo not reached"), script("echo nor this")))

    process = project.start("build", **box.variables)
    seen = read_until(process, "moved")
    process.send_signal(number)
    seen += process.communicate(timeout=30)[0]

    assert process.returncode == 128 + number, seen
    assert "\nmoved back\n" in seen
    assert "reached" not in seen
    assert "nor this" not in seen
    notes = box.notes()
    assert notes.index("trap") < next(at for at, note in enumerate(notes) if note.startswith("rm -fv"))


@pytest.mark.slow
def test_a_step_over_its_limit_gets_to_its_traps_too(project, box):
    project.write("moves", MOVES, 0o755)
    project.write("wercker.yml", config(script("./moves"), **{"command-timeout": 0.05}))

    ran = project.run("build", **box.variables)

    assert ran.returncode == 1
    assert "\nmoved back\n" in ran.stdout
    assert "it has not ended for 0.05 minutes" in ran.stderr


def test_a_step_without_a_program_of_its_own_ends_as_soon(project, box):
    project.write(
        "wercker.yml", config(script("echo busy; for ((i = 0; i < 10**7; i++)); do :; done; echo not reached"))
    )

    process = project.start("build", **box.variables)
    seen = read_until(process, "busy")
    process.send_signal(signal.SIGINT)
    seen += process.communicate(timeout=30)[0]

    assert process.returncode == 130
    assert "not reached" not in seen


def test_a_second_signal_does_not_wait_for_the_step(project, box):
    project.write("deaf", "#!/usr/bin/env bash\ntrap '' TERM\necho up\nfor i in {1..150}; do sleep 0.1; done\n", 0o755)
    project.write("wercker.yml", config(script("./deaf")))

    process = project.start("build", **box.variables)
    read_until(process, "up")
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    seen = read_until(process, "ending the step, up to 60 s; Ctrl-C once more does not wait for it")
    process.send_signal(signal.SIGINT)
    seen += process.communicate(timeout=30)[0]

    assert process.returncode == 130
    assert time.monotonic() - began < 10
    assert [note for note in box.notes() if note.startswith("rm -fv")]


@pytest.mark.parametrize(("command", "status"), [("build", "130"), ("dev", "0")])
def test_ctrl_c_with_a_pipe_behind_it_is_no_other_than_without(project, box, command, status):
    body = "echo up; for i in {1..100}; do sleep 0.1; done"
    step = {"internal/watch": {"name": "serve", "code": body}} if command == "dev" else script(body)
    project.write("wercker.yml", config(step, script('echo later >>"$BOX_FOLDER/notes"; echo said'), pipeline=command))
    runner = f'{{ echo "$BASHPID" >runner; exec "$0" "{PROGRAM}" {command} 2>errors; }}'
    reader = '{ echo "$BASHPID" >reader; exec tee log; }'
    line = f'trap : INT; {runner} | {reader}; echo "${{PIPESTATUS[0]}}" >status'

    process = subprocess.Popen(
        ["bash", "-c", line, sys.executable],
        cwd=project.folder,
        env=project.environment(**box.variables),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    log = project.folder / "log"
    wait_for(lambda: log.exists() and "\nup\n" in log.read_text())
    runner, reader = (int((project.folder / name).read_text()) for name in ("runner", "reader"))
    os.kill(runner, signal.SIGSTOP)  # so that the reader is the quicker one each time
    os.killpg(process.pid, signal.SIGINT)
    wait_for(lambda: ended(reader))
    os.kill(runner, signal.SIGCONT)
    process.wait(timeout=30)

    assert (project.folder / "errors").read_text() == ""
    assert (project.folder / "status").read_text().strip() == status
    assert ("later" in box.notes()) is (command == "dev")


def test_a_reader_that_goes_away_ends_the_run_without_a_traceback(project, box):
    project.write("wercker.yml", config(script("for i in {1..50}; do echo line; sleep 0.1; done", "speaks")))
    line = f'"$0" "{PROGRAM}" build 2>errors | head -n 3; echo "${{PIPESTATUS[0]}}"'

    ran = subprocess.run(
        ["bash", "-c", line, sys.executable],
        cwd=project.folder,
        env=project.environment(**box.variables),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert ran.stdout.splitlines()[-1] == str(128 + signal.SIGPIPE)
    assert (project.folder / "errors").read_text() == ""
    assert [note for note in box.notes() if note.startswith("rm -fv")]


# --- One bash for all steps ---


def test_each_step_begins_under_set_e(project, box):
    project.write("wercker.yml", config(script("set +e"), script("false; echo not reached", "breaks")))

    ran = project.run("build", **box.variables)

    assert ran.returncode == 1
    assert "not reached" not in ran.stdout
    assert "the step 'breaks' failed: status 1" in ran.stderr


def test_the_last_status_of_a_step_counts_under_set_plus_e_too(project, box):
    project.write("wercker.yml", config(script("set +e; false; (exit 7)", "breaks"), script("echo not reached")))

    ran = project.run("build", **box.variables)

    assert ran.returncode == 1
    assert "not reached" not in ran.stdout
    assert "the step 'breaks' failed: status 7" in ran.stderr


def test_a_step_may_let_a_command_fail_under_set_plus_e(project, box):
    project.write("wercker.yml", config(script("set +e; false; true"), script("echo reached")))

    ran = project.run("build", **box.variables)

    assert ran.returncode == 0
    assert "\nreached\n" in ran.stdout


IMAGE = {"internal/docker-build": {"image-name": "made", "labels": "made=$MADE"}}


def test_no_trace_prints_the_variables_that_a_later_step_reads(project, box):
    project.write("Dockerfile", "FROM scratch\n")
    project.write("wercker.yml", config(script("export MADE=here; set -x"), IMAGE))

    ran = project.run("build", **box.variables, XXX_PASS="canary-7f3a-" + "x" * 300)

    assert ran.returncode == 0, ran.stderr
    assert [note for note in box.notes() if note.startswith("build ") and "--label made=here" in note]
    assert not re.findall(r"[A-Za-z0-9+/=]{100,}", ran.stdout)
    assert not (box.pipeline / "steps" / "variables").exists()


def test_a_watch_step_has_the_exports_of_earlier_steps_and_begins_in_the_source_folder(project, box):
    watch = {"internal/watch": {"name": "serve", "code": 'echo "$MADE in $PWD"'}}
    project.write("wercker.yml", config(script("export MADE=here; cd /"), watch, pipeline="dev"))

    ran = project.run("dev", **box.variables)

    assert ran.returncode == 0, ran.stderr
    assert f"\nhere in {box.pipeline}/source\n" in ran.stdout


def test_an_image_is_pushed_by_the_id_that_this_run_built(project, box):
    push = {"internal/docker-push": {"image-name": "made", "repository": "r.example/a", "tag": "t"}}
    project.write("Dockerfile", "FROM scratch\n")
    project.write("wercker.yml", config(IMAGE, push))

    ran = project.run("build", "--docker-local", **box.variables)

    assert ran.returncode == 0, ran.stderr
    assert "tag sha256:built-here r.example/a:t" in box.notes()


def test_a_box_publishes_its_own_ports_and_those_asked_for(project, box):
    project.write("wercker.yml", config(script("true"), box={"id": "b", "ports": ["5000", "8001:80"]}))

    ran = project.run("build", "--publish", "8000", **box.variables)

    assert ran.returncode == 0, ran.stderr
    created = next(note for note in box.notes() if note.startswith("create "))
    assert re.findall(r"--publish (\S+)", created) == ["5000:5000", "8001:80", "8000:8000"]


# --- Whose the files are ---


@needs_root
def test_in_a_rootless_engine_the_tree_stays_whose_it_is(project, box):
    # There the developer is root inside the box: what root's is there is the developer's already.
    project.write("wercker.yml", config(script("touch made"), pipeline="dev"))
    os.chown(project.folder, DEVELOPER, DEVELOPER)

    assert project.run("dev", **box.variables).returncode == 0
    assert set(owners(box.pipeline / "source").values()) == {0}


@needs_root
def test_what_root_wrote_into_a_mounted_tree_is_its_owners_also_after_a_failure(project, box):
    source = box.pipeline / "source"
    source.mkdir(parents=True)
    os.chown(source, DEVELOPER, DEVELOPER)
    project.write(
        "wercker.yml", config(script("mkdir made; touch made/file; ln -s /etc made/link; false"), pipeline="dev")
    )

    assert project.run("dev", **box.variables).returncode == 1
    assert owners(source) == dict.fromkeys([".", "made", "made/file", "made/link"], DEVELOPER)
    assert os.stat("/etc").st_uid == 0  # noqa: PTH116 -- what the link leads to


@needs_root
@pytest.mark.parametrize("ends", ["true", "false"])
def test_the_cache_is_the_boxs_roots_for_the_run_and_its_owners_afterwards(project, box, ends):
    cache = box.pipeline / "cache"
    (cache / "pip").mkdir(parents=True)
    (cache / "pip" / "old").touch()
    for path in (cache, cache / "pip", cache / "pip" / "old"):
        os.chown(path, DEVELOPER, DEVELOPER)
    code = f'cd "$WERCKER_CACHE_DIR"; stat -c "%n is of %u" . pip pip/old; mkdir new; touch new/file; {ends}'
    project.write("wercker.yml", config(script(code)))

    ran = project.run("build", **box.variables)

    assert ran.returncode == (ends == "false")
    assert "\n. is of 0\npip is of 0\npip/old is of 0\n" in ran.stdout
    assert owners(cache) == dict.fromkeys([".", "pip", "pip/old", "new", "new/file"], DEVELOPER)


@needs_root
def test_a_cache_that_a_killed_run_kept_goes_back_after_the_next(project, box):
    cache = box.pipeline / "cache"
    (cache / "pip").mkdir(parents=True)
    (cache / ".owner").write_text(f"{DEVELOPER}:{DEVELOPER}\n")
    project.write("wercker.yml", config(script("true")))

    assert project.run("build", **box.variables).returncode == 0
    assert owners(cache) == {".": DEVELOPER, "pip": DEVELOPER}


@needs_root
def test_a_cache_of_roots_own_stays_roots(project, box):
    project.write("wercker.yml", config(script('touch "$WERCKER_CACHE_DIR/x"')))

    assert project.run("build", **box.variables).returncode == 0
    assert owners(box.pipeline / "cache") == {".": 0, "x": 0}
