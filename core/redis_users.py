"""Who may do what in Redis: a user for each kind of process that uses it, its keys and commands, its password. Plain Python.

Redis holds nudges and counters, never the truth; but whoever may write there can hold every worker back. So nobody comes in
without a password, and each user has the commands of its own work on its own keys. A server keeps the passwords' hashes.
"""

import hashlib
from collections.abc import Iterator, Sequence
from urllib.parse import quote, urlsplit, urlunsplit

from core.database_roles import WORKER, chain_of, derive_password

DEFAULT_QUEUE = "default"
COUNTERS = "api-rate"  # the first word of the keys that count requests
# kombu's names for what a worker has taken and not ended; each kind of worker has its own, or one could put back another's.
UNACKED = ("unacked", "unacked_index", "unacked_mutex")

_COUNTS = "incrby expire ping"
_SENDS = "ping multi exec sadd smembers lpush llen"
# The script is redis-py's own, which takes a lock back only while it is still ours; a script may do what its caller may.
_TAKES = "brpop rpush srem watch unwatch discard zadd zrem zrange hset hget hdel set get del evalsha script|load"


def list_redis_kinds(chains: Sequence[str]) -> tuple[str, ...]:
    """Name the kinds of process that speak to Redis; signers and a person's commands do not."""
    return ("web", "beat", WORKER, *(f"{WORKER}_{chain}" for chain in chains))


def queue_of(kind: str) -> str:
    """Return the queue that a kind of worker serves."""
    return chain_of(kind) or DEFAULT_QUEUE


def unacked_keys(kind: str) -> dict[str, str]:
    """Return what kombu is to call a worker's own keys (its transport options)."""
    return {f"{name}_key": f"{name}:{kind}" for name in UNACKED}


def redis_password(master: str, kind: str) -> str:
    """Return a user's own password, derived as those of the database's roles are. Empty when there is no master."""
    return derive_password(master, f"redis_{kind}")


def write_users(master: str, chains: Sequence[str]) -> str:
    """Return the file of users as Redis reads it (aclfile): hashes instead of passwords, the user of old switched off."""
    lines = ["user default off sanitize-payload resetkeys resetchannels -@all"]
    lines += [f"user {kind} {' '.join(user_rules(master, kind, chains))}" for kind in list_redis_kinds(chains)]
    return "\n".join(lines) + "\n"


def user_rules(master: str, kind: str, chains: Sequence[str]) -> list[str]:
    """Return the rules of one user, as ACL SETUSER takes them after `reset`."""
    digest = hashlib.sha256(redis_password(master, kind).encode()).hexdigest()
    commands = [f"+{command}" for command in _commands(kind).split()]
    return ["on", f"#{digest}", *(f"~{key}" for key in _keys(kind, chains)), "-@all", *commands]


def redis_url_as(url: str, kind: str, password: str) -> str:
    """Return the address of a Redis, by network or by socket, with this user and password instead of any other."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(kind)}:{quote(password)}@{place}"))


def _commands(kind: str) -> str:
    if kind == "web":
        return _COUNTS
    return _SENDS if kind == "beat" else f"{_SENDS} {_TAKES}"


def _keys(kind: str, chains: Sequence[str]) -> Iterator[str]:
    if kind == "web":
        yield f"{COUNTERS}:*"
        return
    for queue in (DEFAULT_QUEUE, *chains) if kind == "beat" else (queue_of(kind),):
        yield queue
        yield f"{queue}??[369]"  # kombu's further lists of a queue, by priority: two separators and a figure
        yield f"_kombu.binding.{queue}"
        yield f"_kombu.binding_permanent.{queue}"
    if kind != "beat":
        yield from unacked_keys(kind).values()
