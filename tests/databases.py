"""Makes the template database by running `release` in a process of its own, and clones it for test runs."""

import hashlib
import os
import re
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import errors, sql

from core.database_roles import role_name

ROOT = Path(__file__).parent.parent
# The template is made again when one of these changes.
INPUTS = (
    "*/migrations/*.py",
    "*/apps.py",
    "*/chart.py",
    "*/models.py",
    "fixtures/*.json",
    "core/release.py",
    "core/database_roles.py",
    "nexchange/rights.py",
)
# What tests set up by hand and no process may: prices, assets and pairs are a release's, and nothing here is removed.
SET_UP = (
    "GRANT UPDATE ON core_asset, ticker_market, ticker_listing, ticker_pair TO {}",
    "GRANT DELETE ON ticker_marketstate, wallets_address TO {}",
)
KEPT_TEMPLATES = 3  # of this checkout: another run may still be using the last but one
LOCK_KEY = 0x74706C


class TestDatabase:
    """One run's database. Names carry the checkout, so that several may share one server."""

    __test__ = False  # not a class of tests

    def __init__(self, owner: dict[str, Any]) -> None:
        self.owner = owner
        checkout = hashlib.sha256(f"{os.uname().nodename}:{ROOT}".encode()).hexdigest()[:8]
        self.prefix = f"nexchange_{checkout}"
        self.template = f"{self.prefix}_template_{fingerprint()}"
        self.kept = os.environ.get("KEPT_TEST_DATABASE", "")  # mutants one after the other use the same
        self.name = self.kept or f"{self.prefix}_test_{os.getpid()}"
        self._beside = ThreadPoolExecutor(1)
        self._spare: Future[None] | None = None

    def prepare_template(self) -> None:
        """Make the template unless it is there; other runs wait under an advisory lock for the one that makes it."""
        if self.kept and self._exists(self.kept):
            return
        with self._maintenance() as server, server.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
            self._drop_leftovers(cursor)
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self.template])
            if cursor.fetchone():
                return
            unfinished = f"{self.template}_new"
            self._run(cursor, "DROP DATABASE IF EXISTS {} WITH (FORCE)", unfinished)
            self._run(cursor, "CREATE DATABASE {}", unfinished)
            self._release(unfinished)
            self._run(cursor, "ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", unfinished)
            self._run(cursor, "ALTER DATABASE {} RENAME TO {}", unfinished, self.template)

    def clone(self) -> None:
        """Create the run's database as a copy of the template, unless it is kept from the run before."""
        if not (self.kept and self._exists(self.kept)):
            self._copy(self.name)

    def renew(self) -> None:
        """Put an untouched copy in the place of the run's database; the copy after that is made while tests go on."""
        spare = f"{self.name}_spare"
        if self._spare is None:
            self._copy(spare)
        else:
            self._spare.result()
        with self._maintenance() as server, server.cursor() as cursor:
            self._run(cursor, "DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)
            self._run_patiently(cursor, "ALTER DATABASE {} RENAME TO {}", spare, self.name)
        self._spare = self._beside.submit(self._copy, spare)

    def drop(self) -> None:
        """Drop the run's database and cut whoever is still connected to it."""
        self._drop(self.name)

    def end(self) -> None:
        """Drop what is left when the last test has ended."""
        self._beside.shutdown()
        self._drop(*([] if self.kept else [self.name]), f"{self.name}_spare")

    def _drop(self, *names: str) -> None:
        with self._maintenance() as server, server.cursor() as cursor:
            for name in names:
                self._run(cursor, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _exists(self, name: str) -> bool:
        with self._maintenance() as server, server.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            return bool(cursor.fetchone())

    def _copy(self, name: str) -> None:
        """Copy the template, files and all."""
        with self._maintenance() as server, server.cursor() as cursor:
            self._run_patiently(cursor, "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, self.template)
            # A copy takes over no rights on the database itself.
            self._run(cursor, "REVOKE TEMPORARY, CREATE ON DATABASE {} FROM PUBLIC", name)

    def _release(self, database: str) -> None:
        env = {**os.environ, "POSTGIS_ENV_POSTGRES_DB": database, "DJANGO_SETTINGS_MODULE": "nexchange.settings_test"}
        done = subprocess.run(
            [sys.executable, "manage.py", "release"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"manage.py release failed on the template:\n{done.stdout}{done.stderr}")
        with _Maintenance(self.owner, database) as raw, raw.cursor() as cursor:
            for statement in SET_UP:
                self._run(cursor, statement, role_name(self.owner["USER"], ""))

    def _drop_leftovers(self, cursor: Any) -> None:
        """Drop databases of runs that were killed, and templates that no recent code uses."""
        cursor.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s) ORDER BY oid DESC", [f"{self.prefix}_"]
        )
        names = [name for (name,) in cursor.fetchall()]
        # A test may have made another beside its run's own, and named it after that: ..._test_PID_copy
        runs = [name for name in names if (made := re.search(r"_test_(\d+)", name)) and not _is_alive(int(made[1]))]
        templates = [name for name in names if "_template_" in name and name != self.template]
        for name in runs + templates[KEPT_TEMPLATES - 1 :]:
            self._run(cursor, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _run_patiently(self, cursor: Any, statement: str, *names: str) -> None:
        for _ in range(20):
            try:
                self._run(cursor, statement, *names)
            except errors.ObjectInUse:  # an autovacuum worker looks at it
                time.sleep(0.5)
            else:
                return
        raise RuntimeError(f"{' or '.join(names)} stays in use")

    @staticmethod
    def _run(cursor: Any, statement: str, *names: str) -> None:
        cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _maintenance(self) -> "_Maintenance":
        return _Maintenance(self.owner)


class _Maintenance:
    """The owner's connection to the database `postgres`, for CREATE and DROP DATABASE, or to another; closed at the end."""

    def __init__(self, owner: dict[str, Any], database: str = "postgres") -> None:
        self.owner, self.database = owner, database
        self.raw: Any = None

    def __enter__(self) -> Any:
        owner = self.owner
        self.raw = psycopg2.connect(
            host=owner["HOST"],
            port=owner["PORT"],
            user=owner["USER"],
            password=owner["PASSWORD"],
            dbname=self.database,
        )
        self.raw.autocommit = True
        return self.raw

    def __exit__(self, *_: object) -> None:
        self.raw.close()


def fingerprint() -> str:
    """Hash everything that decides what a released database holds."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in INPUTS for path in ROOT.glob(pattern)}):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
