"""bin/backup and bin/restore in a checkout, against databases of the test's own: nothing lost, nothing half-done."""

import contextlib
import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import psycopg2
import pytest
from django.conf import settings
from psycopg2 import sql

from tests.databases import TestDatabase
from tests.sources import ROOT

pytestmark = pytest.mark.slow  # each test backs a database up and restores it

PASSPHRASE = "a passphrase with $ # ' \" in it"
CHANGED_BY_A_RESTORE = ("wallets_freeze", "wallets_chainstate")


class Site:
    """A checkout's folders elsewhere, a released database, and the two scripts over them."""

    def __init__(self, folder: Path, database: TestDatabase) -> None:
        self.folder, self.database = folder, database
        self.media, self.journal, self.backups = folder / "media", folder / "payouts.journal", folder / "backups"
        self.signers = folder / "signer"
        self.media.mkdir()
        values = database.owner
        self.variables = {
            "POSTGIS_PORT_5432_TCP_ADDR": values["HOST"],
            "POSTGIS_PORT_5432_TCP_PORT": values["PORT"],
            "POSTGIS_ENV_POSTGRES_USER": values["USER"],
            "POSTGIS_ENV_POSTGRES_PASSWORD": values["PASSWORD"],
            "POSTGIS_ENV_POSTGRES_DB": database.name,
            "BACKUP_PASSPHRASE": PASSPHRASE,
            "BACKUP_DIR": str(self.backups),
            "MEDIA_ROOT": str(self.media),
            "PAYOUT_JOURNAL": str(self.journal),
            "SIGNER_JOURNAL_DIR": str(self.signers),
            "RUN_DIR": str(folder / "run"),
        }

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "bin" / script, *arguments],
            env=os.environ | self.variables | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            stdin=subprocess.DEVNULL,
        )

    def back_up(self, **variables: str) -> Path:
        done = self.run("backup", **variables)
        assert done.returncode == 0, done.stderr
        return self.backups / re.search(r"^backup (\S+):", done.stdout, re.MULTILINE)[1]

    def restore(self, *arguments: str, **variables: str) -> str:
        done = self.run("restore", *arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def hashes(self) -> dict[str, str]:
        done = self.run("backup", "--hashes")
        assert done.returncode == 0, done.stderr
        return dict(line.split(" ", 1) for line in done.stdout.splitlines())

    def ask(self, statement: str, name: str = "") -> list[tuple]:
        with contextlib.closing(connect(self.database, name or self.database.name)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []

    def databases(self) -> list[str]:
        found = self.ask("SELECT datname FROM pg_database ORDER BY 1", "postgres")
        return [name for (name,) in found if name.startswith(self.database.name)]


def connect(database, name):
    values = database.owner
    return psycopg2.connect(
        host=values["HOST"], port=values["PORT"], user=values["USER"], password=values["PASSWORD"], dbname=name
    )


@pytest.fixture
def site(tmp_path, test_database):
    database = TestDatabase(settings.DATABASES["owner"])
    database.name = f"{test_database.name}_backup"
    database.clone()
    site = Site(tmp_path, database)
    yield site
    for name in site.databases():
        site.ask(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)), "postgres")


def test_a_backup_taken_while_rows_come_in_is_restored_with_each_tables_hash_equal(site):
    (site.media / "logo.png").write_bytes(b"picture")
    site.journal.write_text('{"txid": "1"}\n')
    stop = threading.Event()
    writer = threading.Thread(target=write_steadily, args=(site, stop))
    writer.start()
    try:
        backup = site.back_up()
    finally:
        stop.set()
        writer.join()
    rows_now = site.ask("SELECT count(*) FROM auth_group")
    (site.media / "logo.png").unlink()

    said = site.restore(str(backup), "--replace")

    assert "each with the hash it was saved with" in said
    kept = re.search(r"kept as (\w+)", said)[1]
    assert site.ask("SELECT count(*) FROM auth_group", kept) == rows_now, "the replaced database is kept"
    assert site.ask("SELECT count(*) FROM auth_group") < rows_now, "rows of after the backup are not in it"
    assert (site.media / "logo.png").read_bytes() == b"picture"


def test_what_a_signer_has_signed_counts_again_after_its_disk_was_lost(site):
    """Its journal is in the backup, and on a restore only ever added to: what was signed since stays counted."""
    site.signers.mkdir()
    lines = [f'{{"at": "2026-11-28T1{n}:00:00+00:00", "payout": {n}}}' for n in range(4)]
    (site.signers / "litecoin.journal").write_text("".join(f"\n{line}\n" for line in lines[:2]))
    (site.signers / "ethereum.journal").write_text(f"\n{lines[0]}\n")
    backup = site.back_up()
    before = (site.signers / "litecoin.journal").stat().st_mode
    (site.signers / "ethereum.journal").unlink()
    (site.signers / "litecoin.journal").write_text("".join(f"\n{line}\n" for line in lines[1:]))

    said = site.restore(str(backup), "--replace")

    assert "journal of the signer of litecoin: 3 lines on disk, 2 in the backup, 1 of those were missing" in said
    assert (site.signers / "ethereum.journal").read_text().split("\n").count(lines[0]) == 1
    kept = [line for line in (site.signers / "litecoin.journal").read_text().splitlines() if line]
    assert sorted(kept) == lines
    assert (site.signers / "litecoin.journal").stat().st_mode == before
    assert (site.signers / "ethereum.journal").stat().st_mode & 0o777 == 0o600


def write_steadily(site, stop):
    n = 0
    while not stop.is_set():
        n += 1
        site.ask(f"INSERT INTO auth_group (name) VALUES ('group {n}')")


def test_a_wiped_database_comes_back_as_it_was_and_pays_nothing(site):
    site.ask("INSERT INTO auth_group (name) VALUES ('one')")
    before = site.hashes()
    backup = site.back_up()
    site.ask(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(site.database.name)), "postgres")
    site.ask(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(site.database.name)), "postgres")

    said = site.restore(str(backup))

    after = site.hashes()
    for table in CHANGED_BY_A_RESTORE:
        before.pop(f"public.{table}"), after.pop(f"public.{table}")
    assert len(after) > 30
    assert after == before
    assert site.ask("SELECT scope, lifted_at FROM wallets_freeze") == [("ALL", None)]
    assert "reconcile --chain CHAIN --since HEIGHT" in said
    assert site.databases() == [site.database.name], "the empty one is gone"


def test_the_journal_on_disk_is_never_replaced_and_gets_back_what_it_lost(site):
    site.journal.write_text('{"txid": "1"}\n{"txid": "2"}\n')
    backup = site.back_up()
    site.journal.write_text('{"txid": "2"}\n{"txid": "newer"}\n{"tx')

    site.restore(str(backup), "--replace")

    assert site.journal.read_text() == '{"txid": "2"}\n{"txid": "newer"}\n{"tx\n{"txid": "1"}\n'


def test_a_backup_taken_while_payouts_were_frozen_freezes_anew_and_opens_addresses_nobody_has(site):
    site.ask("INSERT INTO wallets_freeze (scope, reason, frozen_at, frozen_by, lifted_by, lifted_because)"
             " VALUES ('ALL', 'the database was restored from a backup', now(), 'operator', '', '')")  # fmt: skip
    make_chain(site, account=1, next_index=5)
    backup = site.back_up()
    site.ask("UPDATE wallets_chainstate SET account = 4, next_index = 9")

    said = site.restore(str(backup), "--replace")

    assert re.search(r"^litecoin: the backup knew its blocks up to -1$", said, re.MULTILINE)
    assert site.ask("SELECT account, next_index FROM wallets_chainstate") == [(5, 0)]
    reasons = [
        reason for (reason,) in site.ask("SELECT reason FROM wallets_freeze WHERE lifted_at IS NULL ORDER BY id")
    ]
    assert len(reasons) == 2
    assert reasons[1].endswith(backup.name)


def make_chain(site, *, account, next_index):
    code = (
        "from wallets.models import ChainState;"
        f"ChainState.objects.create(code='litecoin', account={account}, next_index={next_index})"
    )
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", code],
        cwd=ROOT, env=os.environ | site.variables, check=True, capture_output=True, timeout=60,
    )  # fmt: skip


def test_a_database_with_tables_is_refused_unless_told_and_stays(site):
    backup = site.back_up()
    before = site.hashes()

    refused = site.run("restore", str(backup))

    assert refused.returncode == 1
    assert "is not empty" in refused.stderr
    assert "--replace" in refused.stderr
    assert site.hashes() == before


def failing_psql(folder: Path, words: str) -> str:
    """A PATH whose psql fails when what it is told, by argument or on standard input, holds these words."""
    real = shutil.which("psql")
    (folder / "psql").write_text(
        f"""#!/bin/bash
told=$(cat)
case "$* $told" in *"{words}"*) echo "ERROR:  no such luck" >&2; exit 3 ;; esac
exec {real} "$@" <<<"$told"
"""
    )
    (folder / "psql").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.mark.parametrize("words", ["RENAME TO", "CREATE ROLE %I NOLOGIN"])
def test_a_restore_that_fails_before_the_exchange_leaves_the_database_and_nothing_beside_it(site, tmp_path, words):
    backup, before, databases = site.back_up(), site.hashes(), site.databases()

    refused = site.run("restore", str(backup), "--replace", PATH=failing_psql(tmp_path, words))

    assert refused.returncode != 0
    assert "no such luck" in refused.stderr
    assert "what was begun is removed" in refused.stderr
    assert site.databases() == databases
    assert site.hashes() == before


def test_an_error_after_the_exchange_says_that_the_backup_is_in_place(site, tmp_path):
    backup, databases = site.back_up(), site.databases()

    failed = site.run(
        "restore", str(backup), "--replace", PATH=failing_psql(tmp_path, "the backup knew its blocks up to")
    )

    assert failed.returncode != 0
    assert "The backup IS in place" in failed.stderr
    assert "Nothing was changed" not in failed.stderr
    assert len(site.databases()) == len(databases) + 1, "the one of before is kept"
    assert site.ask("SELECT count(*) FROM wallets_freeze") != [(0,)]


def test_a_backup_of_another_site_is_refused_before_anything_is_touched_unless_told(site):
    site.journal.write_text('{"txid": "theirs"}\n')
    theirs = site.back_up(TOKEN_KEY="the key of another target")
    site.journal.write_text('{"txid": "ours"}\n')
    before = site.hashes()

    # A database that does not answer shows that it was not even asked.
    refused = site.run("restore", str(theirs), "--replace", TOKEN_KEY="our own key", POSTGIS_PORT_5432_TCP_PORT="1")

    assert refused.returncode == 1
    assert "is of another site" in refused.stderr
    assert "--from-another-site" in refused.stderr
    assert "key of another" not in refused.stdout + refused.stderr
    assert "our own key" not in refused.stdout + refused.stderr
    assert site.journal.read_text() == '{"txid": "ours"}\n'
    assert site.hashes() == before

    site.restore(str(theirs), "--replace", "--from-another-site", TOKEN_KEY="our own key")

    assert site.journal.read_text() == '{"txid": "ours"}\n{"txid": "theirs"}\n'


def test_a_site_takes_its_own_backup_back_on_another_machine_and_under_another_name(site, tmp_path):
    backup = site.back_up(TOKEN_KEY="our own key")
    elsewhere = shutil.copy(backup, tmp_path / "carried-over")
    other = f"{site.database.name}2"
    site.ask(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(other)), "postgres")

    done = site.run("restore", str(elsewhere), TOKEN_KEY="our own key", POSTGIS_ENV_POSTGRES_DB=other)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr


def test_a_backup_of_before_sites_were_told_apart_is_taken_with_a_warning(site):
    tree = site.folder / "older"
    (tree / "bin" / "lib").mkdir(parents=True)
    (tree / "manage.py").touch()
    shutil.copy(ROOT / "bin" / "backup", tree / "bin")
    shutil.copytree(ROOT / "bin" / "lib" / "backup", tree / "bin" / "lib" / "backup")
    archive = tree / "bin" / "lib" / "backup" / "archive.sh"
    archive.write_text(archive.read_text().replace(' "site=${IDENTITY:-}"', ""))
    subprocess.run(
        [tree / "bin" / "backup"], env=os.environ | site.variables, check=True, capture_output=True, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    [older] = site.backups.glob("*.backup")

    done = site.run("restore", str(older), "--replace", TOKEN_KEY="our own key")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "does not say of which site it is" in done.stderr


def test_a_restore_waits_for_nobody_who_is_at_work(site):
    backup = site.back_up()

    with contextlib.closing(connect(site.database, site.database.name)):
        refused = site.run("restore", str(backup), "--replace")

    assert refused.returncode == 1
    assert "somebody is at work" in refused.stderr
    assert site.databases() == [site.database.name]


@pytest.mark.parametrize("verb", ["verify", "restore"])
def test_a_wrong_passphrase_a_cut_and_a_changed_file_are_told_apart(site, verb):
    backup = site.back_up()
    content = backup.read_bytes()
    cut, changed = site.folder / "cut", site.folder / "changed"
    cut.write_bytes(content[: len(content) // 2])
    changed.write_bytes(content[:9000] + bytes([content[9000] ^ 1]) + content[9001:])

    def read(file, **variables):
        arguments = ("backup", "--verify", str(file)) if verb == "verify" else ("restore", str(file), "--replace")
        return site.run(*arguments, **variables)

    assert "the passphrase does not open" in read(backup, BACKUP_PASSPHRASE="another").stderr
    assert "is damaged" in read(cut).stderr
    assert "is damaged" in read(changed).stderr
    assert "there is no backup" in read(site.folder / "nothing").stderr
    assert site.databases() == [site.database.name]
    assert site.run("backup", "--verify", str(backup)).returncode == 0


def test_old_backups_go_only_when_a_new_one_is_whole(site):
    first, second = site.back_up(), site.back_up()
    failed = site.run("backup", BACKUP_KEEP="1", POSTGIS_PORT_5432_TCP_PORT="1")

    assert failed.returncode == 1
    assert "does not answer" in failed.stderr
    assert sorted(site.backups.glob("*.backup")) == [first, second]

    third = site.back_up(BACKUP_KEEP="2")

    assert sorted(site.backups.glob("*.backup")) == [second, third]
    assert [path.name for path in site.backups.iterdir() if path.name.startswith(".partial")] == []
    assert third.stat().st_mode & 0o077 == 0, "for its owner alone"


def test_a_day_of_failing_deploys_does_not_push_out_the_backups_of_the_nights_before(site):
    site.backups.mkdir()
    older = [f"nexchange-202601{day:02}T{hour}0000Z.backup" for day in (1, 2, 3, 4) for hour in ("02", "14")]
    today = [f"nexchange-20260105T{hour}0000Z.backup" for hour in range(10, 16)]
    for name in older + today:
        (site.backups / name).touch()

    newest = site.back_up(BACKUP_KEEP="3")

    kept = sorted(path.name for path in site.backups.glob("*.backup"))
    assert kept == [
        "nexchange-20260104T140000Z.backup",  # the last one of each of three days, the newest of which is today
        "nexchange-20260105T140000Z.backup",  # the three newest
        "nexchange-20260105T150000Z.backup",
        newest.name,
    ]


@contextlib.contextmanager
def another_backup(site):
    site.backups.mkdir(exist_ok=True)
    with (site.backups / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def test_a_backup_waits_for_one_that_is_under_way(site):
    with another_backup(site) as lock:
        end = threading.Timer(2, fcntl.flock, (lock, fcntl.LOCK_UN))
        end.start()
        done = site.run("backup")
        end.join()

    assert done.returncode == 0, done.stderr
    assert "waiting for its end, at most 600 s" in done.stderr
    assert len(list(site.backups.glob("*.backup"))) == 1


def test_a_backup_waits_only_so_long_and_says_whom_for(site):
    with another_backup(site):
        done = site.run("backup", BACKUP_WAIT_SECONDS="1")

    assert done.returncode == 1
    assert f"the other backup in {site.backups} has not ended within 1 s" in done.stderr
    assert "BACKUP_WAIT_SECONDS" in done.stderr
    assert list(site.backups.glob("*.backup")) == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"BACKUP_PASSPHRASE": ""}, "BACKUP_PASSPHRASE is not set"),
        ({"BACKUP_PASSPHRASE": "", "BACKUP_PASSPHRASE_FILE": "/nowhere"}, "/nowhere cannot be read"),
        ({"BACKUP_KEEP": "none"}, "BACKUP_KEEP is 'none'"),
        ({"BACKUP_WAIT_SECONDS": "long"}, "BACKUP_WAIT_SECONDS is 'long'"),
        ({"POSTGIS_ENV_POSTGRES_DB": "nowhere"}, "POSTGIS_ENV_POSTGRES_DB"),
    ],
)
def test_what_is_missing_or_wrong_is_named_and_leaves_nothing(site, variables, said):
    done = site.run("backup", **variables)

    assert done.returncode == 1
    assert said in done.stderr
    assert list(site.backups.glob("*backup*")) == []


def test_a_password_that_the_database_does_not_take_is_explained(site, tmp_path):
    (tmp_path / "psql").write_text("#!/bin/sh\necho 'FATAL:  password authentication failed for user' >&2\nexit 2\n")
    (tmp_path / "psql").chmod(0o755)

    done = site.run("backup", PATH=f"{tmp_path}:{os.environ['PATH']}")

    assert done.returncode == 1
    assert "does not take the owner's password" in done.stderr
    assert "docs/RUNBOOK.md, Change a secret" in done.stderr
    assert "\n## Change a secret\n" in (ROOT / "docs" / "RUNBOOK.md").read_text()


def test_the_passphrase_may_come_from_a_file_and_is_in_no_programs_arguments(site):
    secret = site.folder / "passphrase"
    secret.write_text(PASSPHRASE + "\n")
    record, programs = site.folder / "record", site.folder / "programs"
    programs.mkdir()
    for name in ("gpg", "psql", "pg_dump", "pg_restore", "tar", "bash"):
        real = shutil.which(name)
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{record}\nenv >>{record}\nexec {real} "$@"\n')
        (programs / name).chmod(0o755)
    # The cluster of bin/test asks for none and takes any; a database that asks is given its own.
    password = site.variables["POSTGIS_ENV_POSTGRES_PASSWORD"] or "owner-pass:word"

    backup = site.back_up(
        BACKUP_PASSPHRASE="",
        BACKUP_PASSPHRASE_FILE=str(secret),
        PATH=f"{programs}:{os.environ['PATH']}",
        POSTGIS_ENV_POSTGRES_PASSWORD=password,
    )

    assert "gpg --homedir" in record.read_text()
    assert PASSPHRASE not in record.read_text()
    assert not [line for line in record.read_text().splitlines() if password in line and "=" not in line.split()[0]]
    assert PASSPHRASE.encode() not in backup.read_bytes()
    assert site.run("backup", "--verify", str(backup)).returncode == 0


def test_a_checkouts_own_cluster_is_started_for_a_backup_and_stopped_after_it(site):
    tree = site.folder / "checkout"
    (tree / "bin" / "lib").mkdir(parents=True)
    (tree / "manage.py").touch()
    shutil.copy(ROOT / "bin" / "backup", tree / "bin")
    shutil.copytree(ROOT / "bin" / "lib" / "backup", tree / "bin" / "lib" / "backup")
    address = {name: value for name, value in site.variables.items() if name.startswith("POSTGIS_")}
    lines = "".join(f"echo {shlex.quote(f'{name}={shlex.quote(value)}')}\n" for name, value in address.items())
    cluster = tree / "bin" / "postgis"
    cluster.write_text(f'#!/bin/sh\necho "$*" >>{tree}/calls\n[ "$1" = env ] || exit 0\n{lines}')
    cluster.chmod(0o755)

    done = subprocess.run(
        [tree / "bin" / "backup"],
        env={"PATH": os.environ["PATH"], "BACKUP_PASSPHRASE": PASSPHRASE},
        capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert (tree / "calls").read_text().splitlines() == ["start run", "env run", "stop run"]
    assert len(list((tree / "var" / "backups").glob("*.backup"))) == 1
