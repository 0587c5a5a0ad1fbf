"""Redis's users outside of a server (core/redis_users.py): prints their file, or puts them into a Redis that runs already.

redis_users.py: the file. --load: into the Redis of REDIS_URL, which then lets nobody in without a password. --url KIND: that
user's REDIS_URL. All of them derive passwords from APP_DB_PASSWORD.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from core.networks import CHAINS  # noqa: E402 -- not installed
from core.redis_users import list_redis_kinds, redis_password, redis_url_as, user_rules, write_users  # noqa: E402

master = os.environ["APP_DB_PASSWORD"]


def load(url: str) -> None:
    """Make the users, then switch the one without a password off. Safe to repeat only before that."""
    import redis  # noqa: PLC0415 -- only here; the rest runs without anything installed

    client = redis.Redis.from_url(url)
    for kind in list_redis_kinds(CHAINS):
        client.execute_command("ACL", "SETUSER", kind, "reset", *user_rules(master, kind, CHAINS))
    client.execute_command("ACL", "SETUSER", "default", "off")


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            print(write_users(master, CHAINS), end="")
        case ["--load"]:
            load(os.environ["REDIS_URL"])
        case ["--url", kind]:
            print(redis_url_as(os.environ["REDIS_URL"], kind, redis_password(master, kind)))
        case _:
            sys.exit(__doc__)
