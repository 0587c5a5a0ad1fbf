"""Redis's users on a real Redis with the file that a served site has: each kind's own work goes, everything else is refused."""

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from celery import Celery
from django.conf import settings
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from core import throttle
from core.redis_users import (
    UNACKED,
    list_redis_kinds,
    queue_of,
    redis_password,
    redis_url_as,
    unacked_keys,
    write_users,
)
from nexchange.settings import broker_url
from tests.sources import ROOT

MASTER = "what all passwords are derived from"
KINDS = list_redis_kinds(settings.CHAINS)
WORKERS = [kind for kind in KINDS if kind.startswith("worker")]
EVERYBODY = [
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("CONFIG", "GET", "*"),
    ("CONFIG", "SET", "dir", "/tmp"),  # noqa: S108 -- refused
    ("KEYS", "*"),
    ("SCAN", "0"),
    ("ACL", "LIST"),
    ("ACL", "SETUSER", "default", "on", "nopass"),
    ("EVAL", "return 1", "0"),
    ("MONITOR",),
    ("CLIENT", "LIST"),
    ("CLIENT", "KILL", "TYPE", "normal"),
    ("SHUTDOWN",),
    ("SAVE",),
    ("REPLICAOF", "NO", "ONE"),
    ("MODULE", "LIST"),
    ("SWAPDB", "0", "1"),
    ("PUBLISH", "/0.celery.pidbox", "{}"),  # how remote control is spoken
    ("PUBLISH", "celery.pidbox", "{}"),
    ("SUBSCRIBE", "anything"),
    ("LPUSH", "litecoin.reply.celery.pidbox", "x"),
    ("SET", "anything", "x"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Start a Redis on a socket with our file of users; return its address without any of them."""
    with run_redis(tmp_path_factory.mktemp("redis")) as place:
        yield place


@contextmanager
def run_redis(folder, *more):
    users, socket = folder / "users.acl", folder / "socket"
    users.write_text(write_users(MASTER, settings.CHAINS), encoding="utf-8")
    options = ("--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder), "--aclfile", str(users))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(["redis-server", *options, *more], stdout=log, stderr=log)
    try:
        end = time.monotonic() + 20
        while not socket.exists():
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.02)
        yield f"unix://{socket}"
    finally:
        server.terminate()
        server.wait()


def url_of(place, kind):
    return redis_url_as(place, kind, redis_password(MASTER, kind))


@pytest.fixture
def enter(place):
    """Return what connects as a kind of process."""
    opened = []

    def as_kind(kind):
        opened.append(Redis.from_url(url_of(place, kind)))
        return opened[-1]

    yield as_kind
    for one in opened:
        one.close()


def celery_as(place, kind):
    app = Celery(f"test-{kind}", set_as_current=False)
    app.conf.broker_url = broker_url(url_of(place, kind))
    app.conf.broker_transport_options = unacked_keys(kind)
    app.conf.task_ignore_result = True
    return app


def test_nobody_comes_in_without_a_password(place):
    stranger = Redis.from_url(place)
    for command in (("PING",), ("LPUSH", "litecoin", "a message"), ("INCR", "api-rate:x")):
        with pytest.raises(AuthenticationError):
            stranger.execute_command(*command)
    stranger.close()
    for kind in (*KINDS, "default", "operator", "signer_litecoin"):
        guess = Redis.from_url(redis_url_as(place, kind, redis_password("another", kind)))
        with pytest.raises(AuthenticationError):
            guess.ping()
        guess.close()


def test_a_task_is_not_taken_from_whoever_has_no_password(place):
    app = celery_as(place, "beat")
    app.conf.broker_url = broker_url(place)
    app.conf.task_publish_retry = False
    with pytest.raises(Exception, match="Authentication required"):
        app.send_task("orders.tasks.follow_chain", queue="litecoin")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", EVERYBODY, ids=" ".join)
def test_no_kind_may_what_nobody_needs(enter, kind, command):
    with pytest.raises(NoPermissionError):
        enter(kind).execute_command(*command)


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_reaches_the_keys_of_another(enter, kind):
    own = {"web": set(), "beat": {"default", *settings.CHAINS}}.get(kind, {queue_of(kind)})
    client = enter(kind)
    for queue in ("default", *settings.CHAINS):
        allowed = True
        try:
            client.execute_command("LPUSH", queue, "x")
            enter(f"worker_{queue}" if queue != "default" else "worker").execute_command("DEL", queue)
        except NoPermissionError:
            allowed = False
        assert allowed == (queue in own), queue
    for other in set(WORKERS) - {kind}:
        for name in UNACKED:
            with pytest.raises(NoPermissionError):
                client.execute_command("HGET", f"{name}:{other}", "x")
    if kind != "web":
        with pytest.raises(NoPermissionError):
            client.execute_command("INCRBY", "api-rate:x", "1")


def test_a_script_may_no_more_than_who_runs_it(enter):
    """The workers' own lock is a script, so they may load one."""
    worker = enter("worker_litecoin")
    for body in ("return redis.call('FLUSHALL')", "return redis.call('LPUSH', 'ethereum', 'x')"):
        digest = worker.execute_command("SCRIPT", "LOAD", body)
        with pytest.raises(ResponseError):
            worker.execute_command("EVALSHA", digest, "0")
    assert enter("worker_ethereum").llen("ethereum") == 0


def test_web_counts_requests(place, settings, monkeypatch):
    settings.REDIS_URL = url_of(place, "web")
    monkeypatch.setattr(throttle, "_asks_again_at_ns", 0)

    assert [throttle._count_in_redis("api-rate:somebody:1", 1, 60) for _ in range(3)] == [1, 2, 3]


TAKES = """
import sys
from celery import Celery
app = Celery("taking")
app.config_from_object(dict(broker_url=sys.argv[1], broker_transport_options={options}, task_ignore_result=True,
    task_acks_late=True, worker_prefetch_multiplier=1, worker_enable_remote_control=False))
@app.task(name="turn")
def turn(number):
    with open(sys.argv[3], "a") as file:
        file.write(f"{{number}}\\n")
app.worker_main(["worker", "--queues", sys.argv[2], "--pool", "solo", "--prefetch-multiplier", "1", "--without-gossip",
    "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", WORKERS)
def test_what_beat_sends_a_worker_takes(place, tmp_path, kind):
    """Celery's own work over its own connection, the putting back of what another worker of the kind left included."""
    done, queue = tmp_path / "done", queue_of(kind)
    app = celery_as(place, "beat")
    left = Redis.from_url(url_of(place, kind))
    app.send_task("turn", args=[1], queue=queue, expires=3600)
    keys = unacked_keys(kind)
    # As a worker that was killed leaves it: taken long ago and never acknowledged.
    _, message = left.brpop(queue, timeout=5)
    taken = b"[" + message + b', "' + queue.encode() + b'", "' + queue.encode() + b'"]'
    left.hset(keys["unacked_key"], "tag", taken)
    left.zadd(keys["unacked_index_key"], {"tag": 1})
    app.send_task("turn", args=[2], queue=queue, expires=3600)
    script = tmp_path / "worker.py"
    script.write_text(TAKES.format(options=keys), encoding="utf-8")
    command = [sys.executable, str(script), broker_url(url_of(place, kind)), queue, str(done)]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        end = time.monotonic() + 60
        while not done.exists() or sorted(done.read_text().split()) != ["1", "2"]:
            assert worker.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < end, (tmp_path / "log").read_text()
            time.sleep(0.1)
    finally:
        worker.terminate()
        worker.wait()
    assert left.hget(keys["unacked_key"], "tag") is None
    assert "NoPermission" not in (tmp_path / "log").read_text()
    left.close()


def test_counters_without_end_leave_room_for_turns(tmp_path):
    """A stolen web host filled the container's memory: Redis was killed again and again, and with it everybody's turns."""
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    bounds = re.search(r"--maxmemory (\d+)mb --maxmemory-policy (\S+)", compose)
    assert bounds
    assert int(bounds[1]) <= 192, "the container has 256"
    with run_redis(tmp_path, "--maxmemory", "16mb", "--maxmemory-policy", bounds[2]) as place:
        urls = {
            kind: redis_url_as(place, kind, redis_password(MASTER, kind)) for kind in ("web", "beat", "worker_litecoin")
        }
        thief = Redis.from_url(urls["web"])
        for number in range(400):
            thief.incrby(f"{throttle.KEYS}:{number}:{'x' * 100_000}", 1)
        Redis.from_url(urls["beat"]).lpush("litecoin", "a turn")
        assert Redis.from_url(urls["worker_litecoin"]).brpop(["litecoin"], timeout=5) == (b"litecoin", b"a turn")
