"""What bin/backup asks of Docker on a server, where the deploy user may run docker by sudo and nothing else."""

import shutil
import subprocess

import pytest

from tests.sources import ROOT

STAND_IN = """#!/bin/sh
# Only sudo gets to the engine.
[ "$(basename "$0")" = sudo ] || exit 1
printf '%s\\n' "$*" >>{folder}/calls
case "$*" in
*" run "*) cat >{folder}/stdin ;;
*" ps "*) echo "postgis 0123456789ab" ;;
*" inspect "*) echo sha256:of-the-running-database ;;
esac
"""


@pytest.fixture
def server(tmp_path):
    (tmp_path / "bin" / "lib").mkdir(parents=True)
    shutil.copy(ROOT / "bin" / "backup", tmp_path / "bin")
    shutil.copytree(ROOT / "bin" / "lib" / "backup", tmp_path / "bin" / "lib" / "backup")
    (tmp_path / "programs").mkdir()
    for name in ("docker", "sudo"):
        program = tmp_path / "programs" / name
        program.write_text(STAND_IN.format(folder=tmp_path))
        program.chmod(0o755)
    (tmp_path / "target.env").write_text(
        "POSTGIS_ENV_POSTGRES_USER=owner\nPOSTGIS_ENV_POSTGRES_DB=site\n"
        "POSTGIS_ENV_POSTGRES_PASSWORD=own\\'er\\ \\$word\nBACKUP_PASSPHRASE=pass\\ \\#phrase\n"
    )
    return tmp_path


def run(server, *arguments, **variables):
    return subprocess.run(
        ["bash", server / "bin" / "backup", *arguments],
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
