"""docker-compose.yml as docker-compose itself reads it, with harmless values for what it asks for."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from deploy.passwords import derive_all

ROOT = Path(__file__).resolve().parents[2]

REQUIRED = {
    "APP_IMAGE": "registry.example:5000/nexchange/app@sha256:" + "0" * 64,
    "SITE_MODE": "demo",
    "SECRET_KEY": "a secret $with #odd 'quotes' and \"more\" 0123456789",
    "TOKEN_KEY": "a token key of this stack alone, 0123456789",
    "ALLOWED_HOSTS": "site.example",
    "POSTGIS_ENV_POSTGRES_USER": "owner",
    "POSTGIS_ENV_POSTGRES_DB": "site",
    "POSTGIS_ENV_POSTGRES_PASSWORD": "the owner's password",
    "APP_DB_PASSWORD": "the site's password",
}
DERIVED = derive_all(REQUIRED["APP_DB_PASSWORD"], REQUIRED["POSTGIS_ENV_POSTGRES_USER"])
REQUIRED |= DERIVED

needs_compose = pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")


# docker-compose 1.29 is a Python program of the distribution, whose interpreter therefore reads YAML.
TO_JSON = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"


def parse_yaml(text: str) -> Any:
    """Return what a YAML text holds, read by the interpreter that docker-compose uses."""
    done = subprocess.run(
        ["/usr/bin/python3", "-c", TO_JSON], input=text, capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


def run_config(variables: dict[str, str], *overrides: Path) -> subprocess.CompletedProcess[str]:
    """Run `docker-compose config` with these variables and no others but the machine's own PATH and HOME."""
    files = [f"--file={path}" for path in (ROOT / "docker-compose.yml", *overrides)]
    machine = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        ["docker-compose", "--project-name", "nexchange", *files, "config"],
        env=machine | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def read_services(*overrides: Path, **variables: str) -> dict[str, dict[str, Any]]:
    """Return the services as docker-compose resolves them, with further files laid over ours."""
    result = run_config(REQUIRED | variables, *overrides)
    assert result.returncode == 0, result.stderr
    return parse_yaml(result.stdout.replace("$$", "$"))["services"]
