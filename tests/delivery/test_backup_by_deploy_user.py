"""bin/backup and bin/restore on a server, by a stand-in for Docker: what they ask of it, whose variables win, who waits."""

import contextlib
import fcntl
import re
import shutil
import subprocess
import threading

import pytest

from tests.sources import ROOT

STAND_IN = """#!/bin/sh
# Only sudo gets to the engine.
[ "$(basename "$0")" = sudo ] || exit 1
printf '%s\\n' "$*" >>{folder}/calls
case "$*" in
*" run "*)
    cat >>{folder}/stdin
    flock --nonblock {folder}/state/deploy.lock echo free >>{folder}/lock || echo held >>{folder}/lock
    ;;
*" ps "*) echo "postgis 0123456789ab" ;;
*" inspect "*) echo sha256:of-the-running-database ;;
esac
"""
FILE = "nexchange-20260101T000000Z.backup"


@pytest.fixture
def server(tmp_path):
    (tmp_path / "bin" / "lib").mkdir(parents=True)
    for name in ("backup", "restore"):
        shutil.copy(ROOT / "bin" / name, tmp_path / "bin")
    for name in ("state", "backups"):
        (tmp_path / name).mkdir()
    (tmp_path / "backups" / FILE).touch()
    shutil.copytree(ROOT / "bin" / "lib" / "backup", tmp_path / "bin" / "lib" / "backup")
    (tmp_path / "programs").mkdir()
    for name in ("docker", "sudo"):
        program = tmp_path / "programs" / name
        program.write_text(STAND_IN.format(folder=tmp_path))
        program.chmod(0o755)
    (tmp_path / "target.env").write_text(
        "POSTGIS_ENV_POSTGRES_USER=owner\nPOSTGIS_ENV_POSTGRES_DB=site\n"
        "POSTGIS_ENV_POSTGRES_PASSWORD=own\\'er\\ \\$word\nBACKUP_PASSPHRASE=pass\\ \\#phrase\n"
        "BACKUP_KEEP=5\nTOKEN_KEY=never\\ told\n"
    )
    return tmp_path


def run(server, *arguments, script="backup", **variables):
    return subprocess.run(
        ["bash", server / "bin" / script, *arguments],
        env={"PATH": f"{server / 'programs'}:/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        stdin=subprocess.DEVNULL,
    )


def test_docker_is_reached_by_sudo_and_the_secrets_go_in_by_standard_input_alone(server):
    done = run(server)

    calls = (server / "calls").read_text()
    started = next(line for line in calls.splitlines() if " run " in line)
    assert done.returncode == 0, done.stderr
    assert all(line.startswith("-n /usr/bin/docker ") for line in calls.splitlines())
    assert (server / "stdin").read_text() == "pass #phrase\nown'er $word\n"
    assert "phrase" not in calls
    assert "$word" not in calls
    assert "--network nexchange_back" in started
    assert "sha256:of-the-running-database" in started, "programs of the version that runs"
    assert f"--volume {server}/backups:{server}/backups" in started
    assert started.endswith("core.sh take")


def test_the_variables_of_a_deploy_win_over_those_of_the_running_release(server):
    values = {"USER": "other", "PASSWORD": "p", "DB": "db"}
    run(
        server,
        BACKUP_PASSPHRASE="q",
        DATABASE_CONTAINER="db.example",
        COMPOSE_PROJECT_NAME="second",
        **{f"POSTGIS_ENV_POSTGRES_{name}": value for name, value in values.items()},
    )

    calls = (server / "calls").read_text()
    assert (server / "stdin").read_text() == "q\np\n"
    assert "--env PGHOST=db.example" in calls
    assert "--env PGUSER=other" in calls
    assert "--network second_back" in calls


def test_without_the_right_to_run_docker_the_remedy_is_named(server):
    (server / "programs" / "sudo").write_text("#!/bin/sh\nexit 1\n")

    done = run(server)

    assert done.returncode == 1
    assert "the Docker engine does not answer" in done.stderr
    assert "as the deploy user" in done.stderr


def test_a_backup_is_opened_with_the_passphrase_that_the_caller_gives(server):
    done = run(server, "--verify", FILE, BACKUP_PASSPHRASE="of its time", BACKUP_DIR=str(server / "backups"))
    calls = (server / "calls").read_text()

    assert done.returncode == 0, done.stderr
    assert (server / "stdin").read_text() == "of its time\nown'er $word\n"
    assert "--env KEEP=5" in calls, "what the caller does not say is that of the running release"
    assert "of its time" not in calls


def test_a_restore_takes_the_passphrase_file_of_the_caller_before_the_passphrase_of_the_release(server):
    (server / "older").write_text("of its time\n")

    done = restore(server, BACKUP_PASSPHRASE_FILE=str(server / "older"))

    assert done.returncode == 0, done.stdout + done.stderr
    lines = (server / "stdin").read_text().splitlines()
    assert set(lines[::2]) == {"of its time"}
    assert set(lines[1::2]) == {"own'er $word"}


def test_where_backups_lie_and_how_many_stay_is_up_to_the_caller_too(server):
    with (server / "target.env").open("a") as variables:
        variables.write(f"BACKUP_DIR={server}/backups\n")

    done = run(server, BACKUP_KEEP="2", BACKUP_DIR=str(server / "elsewhere"), BACKUP_WAIT_SECONDS="7")

    assert done.returncode == 0, done.stderr
    calls = (server / "calls").read_text()
    assert f"--env BACKUPS={server}/elsewhere" in calls
    assert "--env KEEP=2 --env WAIT=7" in calls


def test_a_backup_is_given_what_tells_its_site_and_never_the_key_that_is_made_from(server):
    run(server)
    first = identity(server)
    run(
        server, POSTGIS_ENV_POSTGRES_USER="owner", BACKUP_PASSPHRASE="q", TOKEN_KEY="never told"
    )  # as a deploy calls it
    second = identity(server)
    run(server, POSTGIS_ENV_POSTGRES_USER="owner", BACKUP_PASSPHRASE="q", TOKEN_KEY="of another target")

    assert re.fullmatch("[0-9a-f]{16}", first)
    assert second == first
    assert identity(server) != first
    assert "never told" not in (server / "calls").read_text()


def identity(server):
    return re.findall(r"--env IDENTITY=(\S*)", (server / "calls").read_text())[-1]


def restore(server, *arguments, **variables):
    return run(server, FILE, *arguments, script="restore", **variables)


@contextlib.contextmanager
def deploying(server):
    """A deploy that is under way, as bin/lib/deploy/server/10-report.sh says so."""
    with (server / "state" / "deploy.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def test_a_restore_keeps_deploys_away_from_its_start_to_its_end(server):
    done = restore(server)

    assert done.returncode == 0, done.stdout + done.stderr
    assert set((server / "lock").read_text().split()) == {"held"}
    assert "--env IDENTITY=" in (server / "calls").read_text()
    with (server / "state" / "deploy.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it is free again


def test_a_restore_waits_only_so_long_for_a_deploy_and_touches_nothing(server):
    with deploying(server):
        done = restore(server, BACKUP_WAIT_SECONDS="1")

    assert done.returncode == 1
    assert "a deploy or another restore is under way: waiting for its end, at most 1 s" in done.stdout
    assert "has not ended within 1 s" in done.stderr
    assert "Nothing was changed" in done.stderr
    assert not (server / "calls").exists()


def test_a_restore_that_waited_for_a_deploy_goes_on_with_its_variables_and_scripts(server):
    (server / "bin" / "restore.new").write_text('#!/bin/bash\nflock --nonblock 9 && echo "new release: $*"\n')

    def release(lock):
        (server / "bin" / "restore.new").rename(server / "bin" / "restore")
        fcntl.flock(lock, fcntl.LOCK_UN)

    with deploying(server) as lock:
        end = threading.Timer(2, release, (lock,))
        end.start()
        done = restore(server, "--replace")
        end.join()

    assert done.stdout.splitlines()[-1] == f"new release: {FILE} --replace", done.stdout + done.stderr


def test_a_restore_that_waited_keeps_the_lock_that_it_was_given(server):
    with deploying(server) as lock:
        end = threading.Timer(2, fcntl.flock, (lock, fcntl.LOCK_UN))
        end.start()
        done = restore(server)
        end.join()

    assert done.returncode == 0, done.stdout + done.stderr
    assert set((server / "lock").read_text().split()) == {"held"}


def test_a_restore_that_a_deploy_calls_does_not_wait_for_it(server):
    called = subprocess.run(
        ["bash", "-c", f"exec 9>>{server}/state/deploy.lock; flock 9; bash {server}/bin/restore {FILE}; exit $?"],
        env={"PATH": f"{server / 'programs'}:/usr/bin:/bin", "BACKUP_WAIT_SECONDS": "1"},
        capture_output=True, text=True, check=False, timeout=30, stdin=subprocess.DEVNULL,
    )  # fmt: skip

    assert called.returncode == 0, called.stdout + called.stderr


def test_a_backup_waits_for_no_deploy_since_a_deploy_calls_it(server):
    with deploying(server):
        done = run(server)

    assert done.returncode == 0, done.stderr


def test_a_backup_that_is_refused_stops_no_site(server):
    stand_in = server / "programs" / "sudo"
    said = stand_in.read_text().replace('echo "postgis 0123456789ab"', 'echo "app 0123456789ab"')
    stand_in.write_text(said.replace("cat >>", '[ "${*%core.sh check*}" = "$*" ] || exit 1\n    cat >>'))

    done = restore(server, "--stop")

    calls = (server / "calls").read_text()
    assert done.returncode == 1
    assert f"core.sh check {server}/backups/{FILE} no" in calls
    assert " stop " not in calls
