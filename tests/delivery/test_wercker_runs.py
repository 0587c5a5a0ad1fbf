"""The facts about a run, with real containers: one bash, variables, services, copies and mounts, Ctrl-C, cleaning up."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest

from tests.delivery.wercker import BOX, Project

pytestmark = pytest.mark.docker

LIST = "for p in /proc/[0-9]*/cmdline; do echo running: $(tr '\\0' ' ' <$p); done"


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def docker(*arguments, check=True):
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=check).stdout


def config(*steps, pipeline="build", **rest):
    return json.dumps({"box": BOX, **rest, pipeline: {"steps": list(steps)}})  # JSON is YAML


def script(code, name="a step"):
    return {"script": {"name": name, "code": code}}


def run_of(output):
    return next(line.rpartition(" ")[2] for line in output.splitlines() if line.startswith("--> pipeline"))


def left_of(run):
    return docker("ps", "--all", "--quiet", "--filter", f"name={run}") + docker(
        "network", "ls", "--quiet", "--filter", f"name={run}"
    )


def test_steps_share_one_bash_and_begin_in_the_source_folder(project):
    project.write("wercker.yml", config(script("export A=kept; b=kept; cd /"), script('echo "$A $b $PWD"')))

    ran = project.run("build")

    assert ran.returncode == 0, ran.stderr
    assert "\nkept kept /pipeline/source\n" in ran.stdout


def test_a_failing_command_ends_the_run(project):
    project.write("wercker.yml", config(script("false; echo not reached", "breaks"), script("echo nor this")))

    ran = project.run("build")

    assert ran.returncode == 1
    assert "reached" not in ran.stdout
    assert "nor this" not in ran.stdout
    assert "the step 'breaks' failed: status 1" in ran.stderr
    assert left_of(run_of(ran.stdout)) == ""


def test_each_step_begins_under_set_e(project):
    project.write("wercker.yml", config(script("set +e; false; true"), script("false; echo not reached", "breaks")))

    ran = project.run("build")

    assert ran.returncode == 1
    assert "not reached" not in ran.stdout
    assert "the step 'breaks' failed: status 1" in ran.stderr


def test_standard_input_is_closed(project):
    project.write("wercker.yml", config(script("cat; read -r line || echo no input")))

    assert "\nno input\n" in project.run("build").stdout


def test_leaving_the_shell_with_status_0_is_no_success(project):
    project.write("wercker.yml", config(script("exit 0", "leaves"), script("echo next")))

    ran = project.run("build")

    assert ran.returncode == 1
    assert "ended the shell of all steps" in ran.stderr


def test_an_unknown_step_fails_before_any_step_runs(project):
    project.write("wercker.yml", config(script("echo ran"), {"npm-install": {"a": "b"}}))

    ran = project.run("build")

    assert ran.returncode == 1
    assert ran.stdout == ""
    assert "there is no step npm-install" in ran.stderr


def test_values_arrive_intact_and_no_secret_is_logged_or_kept_by_the_engine(project):
    odd = "a $HOME ${X} `id` #b 'c' \"d\" \\ e"
    project.write("ENVIRONMENT", f"X_ODD={odd}\nXXX_PASS=canary-7f3a\nPLAIN=no\n")
    project.write("wercker.yml", config(script("set -x; printf '%s\\n' \"$ODD\"; echo $PASS; env; sleep 2")))

    process = project.start("build")
    seen = ""
    while "WERCKER_RUN_ID" not in seen:
        seen += process.stdout.readline()
    box = f"wercker-pipeline-{run_of(seen)}"
    known = docker("inspect", box)
    arguments = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    seen += process.communicate()[0]

    assert process.returncode == 0, seen
    assert f"\n{odd}\n" in seen
    assert "[PASS hidden]" in seen
    assert "canary-7f3a" not in seen + known + arguments
    assert "PLAIN=" not in seen


def test_a_line_break_in_a_value_of_the_system_arrives(project):
    project.write("wercker.yml", config(script('printf "<%s>\\n" "$KEY"')))

    assert "<one\ntwo>" in project.run("build", X_KEY="one\ntwo").stdout.replace("KEY hidden", "")


def test_the_box_knows_its_service_by_name_and_by_variables(project):
    service = {"id": BOX, "name": "post-gis", "cmd": "sleep 60", "env": {"PASS": "$P"}, "ports": ["5432"]}
    code = 'getent hosts post-gis; env | grep ^POST_GIS; echo "same: $(getent hosts post-gis | cut -d" " -f1)"'
    project.write("wercker.yml", config(script(code), services=[service]))

    ran = project.run("build", X_P="a b$c")

    assert ran.returncode == 0, ran.stderr
    told = dict(line.partition("=")[::2] for line in ran.stdout.splitlines())
    assert told["POST_GIS_ENV_PASS"] == "a b$c"
    assert told["POST_GIS_PORT_5432_TCP_PORT"] == "5432"
    assert f"same: {told['POST_GIS_PORT_5432_TCP_ADDR']}" in ran.stdout


def test_containers_are_named_after_the_run(project):
    project.write(
        "wercker.yml", config(script("echo up; sleep 5"), services=[{"id": BOX, "name": "db", "cmd": "sleep 60"}])
    )

    process = project.start("build")
    seen = ""
    while "\nup\n" not in seen:
        seen += process.stdout.readline()
    run = run_of(seen)
    names = docker("ps", "--format", "{{.Names}}", "--filter", f"name={run}").split()
    found = docker(
        "ps", "-q", "--filter", f"ancestor={BOX}", "--filter", "name=wercker-pipeline-", "--filter", "status=running"
    )
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=30)[0]

    assert sorted(names) == [f"wercker-pipeline-{run}", f"wercker-service-db-{run}"]
    assert found
    assert process.returncode == 130
    assert "stopped (signal 2)" in rest
    assert left_of(run) == ""


def test_build_copies_the_tree_without_what_is_ignored(project):
    project.write(".werckerignore", "ENVIRONMENT\n")
    project.write("ENVIRONMENT", "X_A=1\n")
    project.write("wercker.yml", config(script("ls -A; touch made")))

    ran = project.run("build")

    assert "\nwercker.yml\n" in ran.stdout
    assert "\nENVIRONMENT\n" not in ran.stdout
    assert not (project.folder / "made").exists()


@pytest.mark.parametrize("arguments", [["dev"], ["build", "--direct-mount"]])
def test_a_mounted_tree_keeps_what_steps_write(project, arguments):
    project.write("wercker.yml", config(script("echo x >made"), pipeline=arguments[0]))

    assert project.run(*arguments).returncode == 0
    assert (project.folder / "made").read_text() == "x\n"


def test_the_cache_outlives_a_run(project):
    project.write("wercker.yml", config(script('cat "$WERCKER_CACHE_DIR/x" || echo first >"$WERCKER_CACHE_DIR/x"')))
    project.run("build")

    assert "\nfirst\n" in project.run("build").stdout


def test_deploy_works_on_the_output_that_build_kept(project):
    raw = {
        "box": BOX,
        "build": {"steps": [script('echo built >"$WERCKER_OUTPUT_DIR/x"')]},
        "deploy": {"steps": [script('echo "$(cat x) $DEPLOY $WERCKER_DEPLOYTARGET_NAME $A"; ls -A')]},
        "workflows": [{"name": "all", "pipelines": [{"name": "build"}, {"name": "deploy"}]}],
    }
    project.write("wercker.yml", json.dumps(raw))
    target = project.write("far.env", "X_A=from the target\n", 0o600)

    missing = project.run("deploy")
    project.run("build", "--artifacts")
    project.write("ENVIRONMENT", "X_A=from the tracked file\n")
    local = project.run("deploy", "--deploy-target", "near")
    whole = project.run("--environment", str(target), "workflow", "all")

    assert missing.returncode == 1
    assert "bin/wercker build --artifacts" in missing.stderr
    assert "\nbuilt true near \n" in local.stdout
    assert "\nbuilt true far from the target\n" in whole.stdout
    assert "wercker.yml" not in whole.stdout.partition("pipeline deploy")[2]


def test_a_stopped_step_does_what_its_traps_say(project):
    # As bin/deploy does: a program with a trap, which waits for another one.
    project.write("moves", "trap 'sleep 1; echo moved back; exit 143' TERM\necho moved\nsleep 300\n")
    project.write("wercker.yml", config(script("bash moves")))

    process = project.start("build")
    seen = ""
    while "\nmoved\n" not in seen:
        seen += process.stdout.readline()
    process.send_signal(signal.SIGINT)
    seen += process.communicate(timeout=60)[0]

    assert process.returncode == 130
    assert "\nmoved back\n" in seen
    assert left_of(run_of(seen)) == ""


@pytest.mark.parametrize(
    ("limit", "code", "said"),
    [
        ("no-response-timeout", "sleep 60", "it has said nothing for 0.05 minutes"),
        ("command-timeout", "while sleep 0.2; do echo still here; done", "it has not ended for 0.05 minutes"),
    ],
)
def test_a_step_that_hangs_is_ended_by_name(project, limit, code, said):
    project.write("wercker.yml", config(script(code, "hangs"), **{limit: 0.05}))

    ran = project.run("build")

    assert ran.returncode == 1
    assert "the step 'hangs' failed" in ran.stderr
    assert said in ran.stderr
    assert f"{limit} in wercker.yml" in ran.stderr
    assert left_of(run_of(ran.stdout)) == ""


def test_what_root_wrote_into_a_mounted_tree_is_its_owners_also_after_a_failure(project):
    os.chown(project.folder, 1234, 1234)
    project.write("wercker.yml", config(script("mkdir -p made/deep; touch made/deep/file; false"), pipeline="dev"))

    ran = project.run("dev")

    assert ran.returncode == 1
    made = [project.folder / name for name in ("made", "made/deep", "made/deep/file")]
    assert [(path.stat().st_uid, path.stat().st_gid) for path in made] == [(1234, 1234)] * 3


def test_the_cache_is_roots_for_the_run_and_its_owners_afterwards(project):
    cache = project.folder / ".wercker" / "cache"
    cache.mkdir(parents=True)
    os.chown(cache, 1234, 1234)
    code = 'stat -c "of %u" "$WERCKER_CACHE_DIR"; mkdir "$WERCKER_CACHE_DIR/new"; touch "$WERCKER_CACHE_DIR/new/file"'
    project.write("wercker.yml", config(script(code)))

    ran = project.run("build")

    assert ran.returncode == 0, ran.stderr
    assert "\nof 0\n" in ran.stdout
    assert {path.stat().st_uid for path in (cache, *cache.rglob("*"))} == {1234}


def test_dev_ends_on_ctrl_c_with_the_later_steps_and_status_0(project):
    # One child that hears the signal, and one that a shell has made deaf to it.
    serve = "trap 'echo told; exit 0' INT; sleep 300 & echo watching; while :; do sleep 0.1; done"
    watch = {"internal/watch": {"name": "serve", "code": serve}}
    project.write("wercker.yml", config(watch, script(LIST + "; echo later step ran"), pipeline="dev"))

    process = project.start("dev", "--publish", "0:8000")
    seen = ""
    while "\nwatching\n" not in seen:
        seen += process.stdout.readline()
    process.send_signal(signal.SIGINT)
    seen += process.communicate(timeout=60)[0]

    assert process.returncode == 0, seen
    assert "told" in seen
    assert "later step ran" in seen
    assert "running: sleep infinity" in seen
    assert "running: sleep 300" not in seen
    assert left_of(run_of(seen)) == ""


def test_dev_publishes_a_port(project):
    listen = "$s = IO::Socket::INET->new(Listen => 1, LocalPort => 8000); $s->accept->print(qq(hi\\n))"
    code = f"perl -MIO::Socket -e '{listen}'"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    project.write("wercker.yml", config(script(code), pipeline="dev"))

    process = project.start("dev", "--publish", f"{port}:8000")
    told, deadline = b"", time.monotonic() + 30
    while not told and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                told = connection.recv(10)
        except OSError:
            time.sleep(0.2)
    process.communicate(timeout=30)

    assert told == b"hi\n"


def test_a_taken_port_is_named_and_nothing_stays(project):
    project.write("wercker.yml", config(script("true"), pipeline="dev"))
    with socket.socket() as holder:
        holder.bind(("", 0))
        holder.listen()
        port = holder.getsockname()[1]

        ran = project.run("dev", "--publish", str(port))

    assert ran.returncode == 1
    assert f"port {port} of this machine is taken" in ran.stderr
    assert left_of(run_of(ran.stdout)) == ""


def test_an_image_that_is_not_there_is_named_with_the_way_to_it(project):
    project.write("wercker.yml", config(script("true"), box="wercker-trial/none:x"))

    ran = project.run("build", "--docker-local")

    assert ran.returncode == 1
    assert "the image wercker-trial/none:x is not on this machine" in ran.stderr
    assert "could not clean up" not in ran.stdout


def test_an_image_built_from_the_box_is_clean_and_not_pushed_with_docker_local(project):
    project.write("context/Dockerfile", "ARG BASE\nFROM ${BASE}\nARG WORD\nCOPY x /x\nRUN echo built with $WORD\n")
    project.write("context/x", "x")
    image = {
        "image-name": "wercker-trial",
        "context": "context",
        "build-args": f"BASE={BOX} WORD=$MADE",
        "labels": "a=b",
    }
    push = {"image-name": "wercker-trial", "repository": "wercker-trial/pushed", "tag": "$TAG, second"}
    steps = [
        script("export TAG=from-a-step MADE=here"),
        {"internal/docker-build": image},
        {"internal/docker-push": push},
    ]
    project.write("wercker.yml", config(*steps))

    ran = project.run("build", "--docker-local", XXX_PASS="canary-7f3a")
    names = ["wercker-trial", "wercker-trial/pushed:from-a-step", "wercker-trial/pushed:second"]
    known = docker("inspect", *names, check=False) + docker("history", "--no-trunc", names[0], check=False)
    docker("rmi", "--force", *names, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "built with here" in ran.stdout
    assert "not pushed: --docker-local" in ran.stdout
    assert known.count('"a": "b"') >= len(names)
    assert "canary-7f3a" not in known
    assert "WERCKER" not in known


def test_the_box_itself_is_never_pushed(project):
    project.write("wercker.yml", config({"internal/docker-push": {"repository": "wercker-trial/box"}}))

    ran = project.run("build")

    assert ran.returncode == 1
    assert "never the box" in ran.stderr
