"""Prints what each kind of process of a site is given instead of APP_DB_PASSWORD, as lines for a shell to read.

Reads APP_DB_PASSWORD and POSTGIS_ENV_POSTGRES_USER; the derivations are the site's own (core/database_roles.py and
core/redis_users.py, which a build's output holds). docker-compose.yml says who gets what.
"""

import os
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from core.database_roles import derive_password, list_kinds, role_name  # noqa: E402 -- not installed
from core.networks import CHAINS  # noqa: E402
from core.redis_users import list_redis_kinds, redis_password, write_users  # noqa: E402


def derive_all(master: str, owner: str) -> dict[str, str]:
    """Return every derived variable of docker-compose.yml by name."""
    database = {
        f"DB_PASSWORD_{kind.upper()}": derive_password(master, role_name(owner, kind)) for kind in list_kinds(CHAINS)
    }
    queue = {f"REDIS_PASSWORD_{kind.upper()}": redis_password(master, kind) for kind in list_redis_kinds(CHAINS)}
    return database | queue | {"REDIS_USERS": write_users(master, CHAINS).rstrip("\n")}


if __name__ == "__main__":
    given = [os.environ.get(name, "") for name in ("APP_DB_PASSWORD", "POSTGIS_ENV_POSTGRES_USER")]
    if not all(given):
        sys.exit("error: APP_DB_PASSWORD and POSTGIS_ENV_POSTGRES_USER are not set.")
    for name, value in derive_all(*given).items():
        print(f"export {name}={shlex.quote(value)}")
