"""Whose the files are that a box leaves on this machine: its root writes them, whoever develops must be able to remove them.

All of it is asked inside the box: in a rootless engine the developer's own files are root's there, and none is to change.
"""

from wercker.engine import Engine
from wercker.session import SOURCE

CACHE = "/pipeline/cache"
# Beside the cache's files: the owner to return to, for the run after one that was killed before it gave the cache back.
LENT = f"{CACHE}/.owner"
OWNER = "/pipeline/steps/cache.owner"
# pip and others use no cache that belongs to somebody else: for the run it is the root's whose box it is.
TAKE_CACHE = f"""
owner=$(stat -c %u:%g {CACHE})
if [ "$owner" = 0:0 ] && [ -f {LENT} ]; then owner=$(cat {LENT}); fi
echo "$owner" >{OWNER}
if [ "${{owner%%:*}}" = 0 ]; then exit; fi
echo "$owner" >{LENT}
find {CACHE} -xdev '!' -uid 0 -exec chown --no-dereference 0:0 '{{}}' +
"""
GIVE_CACHE_BACK = f"""
owner=$(cat {OWNER} 2>/dev/null) || exit 0
if [ "${{owner%%:*}}" = 0 ]; then exit; fi
rm -f {LENT}
find {CACHE} -xdev -uid 0 -exec chown --no-dereference "$owner" '{{}}' +
"""
GIVE_TREE_BACK = f"""
if [ "$(stat -c %u {SOURCE})" = 0 ]; then exit; fi
find {SOURCE} -xdev -uid 0 -exec chown --no-dereference --reference={SOURCE} '{{}}' +
"""


def take_cache(engine: Engine, box: str) -> None:
    """Let the cache belong to the box's root for this run. Raises: EngineFailure where the files do not allow that."""
    _as_root(engine, box, TAKE_CACHE)


def give_back(engine: Engine, box: str, *, tree: bool) -> None:
    """Let what root wrote into the cache, and into a mounted `tree`, belong to their owner. Raises: EngineFailure."""
    _as_root(engine, box, f"({GIVE_CACHE_BACK}); cache=$?\n({GIVE_TREE_BACK if tree else ':'}) && exit $cache")


def _as_root(engine: Engine, box: str, script: str) -> None:
    engine.call("exec", "--user", "0:0", box, "bash", "-c", script)
