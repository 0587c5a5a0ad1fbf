"""Steady load on a served site: single GETs, POSTs that open orders, and requests over kept connections. Nothing is retried.

    load.py run --site https://NAME --ca FILE --out FILE [--address IP:PORT] [--rate N] [--count N] ...
    load.py failures FILE    one line per kind and cause: how many, from when to when

Each request has its moment, set beforehand: a slow site gets no fewer of them. SIGTERM or SIGINT ends it: what is under way is
finished, then the last report is written. The report is renewed every second and replaced in one move, so it can be read at
any time. Python's own library only; costs about a tenth of one core at 15 requests a second of each kind.
"""

import argparse
import contextlib
import json
import signal
import socket
import ssl
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPSConnection
from itertools import count
from pathlib import Path
from select import select
from typing import Any
from urllib.parse import urlsplit

KINDS = ("get", "post", "kept")
WORKERS = 6  # per kind: how many of its requests may be under way at once
TIMEOUT_S = 30
KEPT_FAILURES = 200  # written down in full; beyond them they are only counted
OK, CREATED = 200, 201


class Unexpected(Exception):
    """The site answered, but not as it should; says what came instead."""


class Connection(HTTPSConnection):
    """To an address of its own while the certificate is checked against the site's name."""

    def __init__(self, site: str, address: str, context: ssl.SSLContext) -> None:
        name = urlsplit(site)
        super().__init__(name.hostname or "", name.port or 443, timeout=TIMEOUT_S, context=context)
        host, _, port = address.partition(":")
        self._reach = (host or self.host, int(port or self.port))
        self._tls = context

    def connect(self) -> None:
        plain = socket.create_connection(self._reach, timeout=TIMEOUT_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)

    def was_closed(self) -> bool:
        """Say whether the other side ended a kept connection while it lay idle, as it may; asked before each request."""
        return self.sock is not None and bool(select([self.sock], [], [], 0)[0])


@dataclass
class Tally:
    """What became of one kind of request. Guarded by the lock of Report."""

    requests: int = 0
    failed: int = 0
    connections: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    took_ms: list[int] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        took = sorted(self.took_ms)
        at = {name: took[min(len(took) - 1, len(took) * part // 100)] for name, part in SHARES.items()} if took else {}
        counts = {name: getattr(self, name) for name in ("requests", "failed", "connections", "causes")}
        return counts | {"milliseconds": at}


SHARES = {"median": 50, "p95": 95, "p99": 99, "max": 100}


class Report:
    """Everything that is counted, by all threads; written to one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._tallies = {kind: Tally() for kind in KINDS}
        self._failures: list[dict[str, str]] = []
        self._orders: list[str] = []
        self._unanswered: list[str] = []

    def connected(self, kind: str) -> None:
        with self._lock:
            self._tallies[kind].connections += 1

    def succeeded(self, kind: str, took_ms: int, order: str = "") -> None:
        with self._lock:
            tally = self._tallies[kind]
            tally.requests += 1
            tally.took_ms.append(took_ms)
            if order:
                self._orders.append(order)

    def failed(self, kind: str, path: str, cause: str, key: str = "") -> None:
        """Count a failure. `key` is a POST's idempotency key: nobody told its client whether the order was opened."""
        with self._lock:
            tally = self._tallies[kind]
            tally.requests += 1
            tally.failed += 1
            tally.causes[cause] = tally.causes.get(cause, 0) + 1
            if key:
                self._unanswered.append(key)
            if len(self._failures) < KEPT_FAILURES:
                moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                self._failures.append({"at": moment, "kind": kind, "path": path, "cause": cause})

    def write(self, *, ended: bool) -> None:
        with self._lock:
            report = {
                "ended": ended,
                "kinds": {kind: tally.shown() for kind, tally in self._tallies.items()},
                "failures": self._failures,
                "orders": self._orders,
                "unanswered": self._unanswered,
            }
            text = json.dumps(report, indent=1)
        new = self._path.with_suffix(".new")
        new.write_text(text)
        new.replace(self._path)


class Caller:
    """One worker: takes the next moment of its kind, waits for it, asks once."""

    def __init__(self, load: "Load", kind: str) -> None:
        self._load, self._kind = load, kind
        self._connection: Connection | None = None

    def run(self) -> None:
        load = self._load
        for number in load.moments[self._kind]:
            if load.options.count and number >= load.options.count:
                break
            due = load.began + number / load.options.rate
            if load.stopped.wait(max(0.0, due - time.monotonic())):
                break
            self._ask(number)
        self._hang_up()

    def _ask(self, number: int) -> None:
        paths = self._load.paths[self._kind]
        path = paths[number % len(paths)]
        key = str(uuid.uuid4()) if self._kind == "post" else ""
        began = time.monotonic()
        try:
            order = self._exchange(path, key)
        except Unexpected as cause:
            self._load.report.failed(self._kind, path, str(cause))
        except (OSError, HTTPException) as cause:
            self._hang_up()
            self._load.report.failed(self._kind, path, f"{type(cause).__name__}: {cause}", key)
        else:
            self._load.report.succeeded(self._kind, int((time.monotonic() - began) * 1000), order)

    def _exchange(self, path: str, key: str) -> str:
        connection = self._connected()
        headers = {"User-Agent": f"rehearsal-{self._kind}", "Accept": "*/*", "Accept-Encoding": "identity"}
        if self._kind != "kept":
            headers["Connection"] = "close"
        if key:
            headers |= {"Content-Type": "application/json", "Idempotency-Key": key}
        connection.request("POST" if key else "GET", path, self._load.body if key else None, headers)
        answer = connection.getresponse()
        body = answer.read()
        if self._kind != "kept" or answer.will_close:
            self._hang_up()
        if answer.status != (CREATED if key else OK):
            raise Unexpected(f"status {answer.status} {_code(body)}".rstrip())
        if not body:
            raise Unexpected("an empty answer")
        return _reference(body) if key else ""

    def _connected(self) -> Connection:
        if self._connection is not None and self._connection.was_closed():
            self._hang_up()
        if self._connection is None:
            self._connection = Connection(self._load.options.site, self._load.options.address, self._load.context)
            self._connection.connect()
            self._load.report.connected(self._kind)
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _code(body: bytes) -> str:
    """Return the code of one of the API's errors, or nothing for any other answer."""
    try:
        return str(json.loads(body)["code"])
    except (ValueError, LookupError, TypeError):
        return ""


def _reference(body: bytes) -> str:
    try:
        return str(json.loads(body)["unique_reference"])
    except (ValueError, LookupError, TypeError) as cause:
        raise Unexpected("an answer without an order's reference") from cause


class Load:
    """The three kinds side by side, until told to stop or until each has had its count."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.paths: dict[str, list[str]] = {"get": options.get, "kept": options.get, "post": [options.post_path]}
        self.body = json.dumps(
            {
                "pair": {"name": options.pair},
                "amount_quote": options.amount,
                "withdraw_address": {"address": options.payout_address},
            }
        )
        self.context = ssl.create_default_context(cafile=options.ca)
        self.report = Report(Path(options.out))
        self.stopped = threading.Event()
        self.moments = {kind: _Shared(count()) for kind in KINDS}
        self.began = time.monotonic()

    def run(self) -> None:
        threads = [threading.Thread(target=Caller(self, kind).run) for kind in KINDS for _ in range(WORKERS)]
        self.began = time.monotonic()
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.report.write(ended=False)
            self.stopped.wait(1)
            if self.stopped.is_set():
                for thread in threads:
                    thread.join()
        self.report.write(ended=True)


class _Shared:
    """An iterator that several threads may take from."""

    def __init__(self, numbers: "count[int]") -> None:
        self._numbers, self._lock = numbers, threading.Lock()

    def __iter__(self) -> "_Shared":
        return self

    def __next__(self) -> int:
        with self._lock:
            return next(self._numbers)


def show_failures(report: dict[str, Any]) -> list[str]:
    """Return "12 post: status 400 rate_unavailable, 12:31:08 to 12:31:12" for each cause; moments of the failures kept."""
    lines = []
    for kind in KINDS:
        for cause, number in report["kinds"][kind]["causes"].items():
            moments = [one["at"][11:19] for one in report["failures"] if (one["kind"], one["cause"]) == (kind, cause)]
            when = f", {moments[0]} to {moments[-1]}" if moments else ""
            lines.append(f"{number} {kind}: {cause}{when}")
    return lines


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="load.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("--site", required=True, help="https://NAME[:PORT], the name that the certificate must have")
    run.add_argument("--ca", help="PEM file of the authority to trust; default: the system's")
    run.add_argument("--out", required=True, help="the report (JSON)")
    run.add_argument("--address", default="", help="IP[:PORT] to connect to instead of what the name resolves to")
    run.add_argument("--rate", type=float, default=15, help="requests a second of each kind")
    run.add_argument("--count", type=int, default=0, help="end after so many of each kind; 0: when told to")
    run.add_argument("--get", nargs="+", default=["/en/", "/en/api/v1/pair/", "/en/api/v1/currency/"])
    run.add_argument("--post-path", default="/en/api/v1/orders/")
    run.add_argument("--pair", default="ETHLTC")
    run.add_argument("--amount", default="1", help="what the customer would send")
    run.add_argument("--payout-address", default="0x2c7536e3605d9c16a7a3d7b1898e529396a65c23")
    commands.add_parser("failures").add_argument("file")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    if options.command == "run":
        load = Load(options)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: load.stopped.set())
        load.run()
        return 0
    with contextlib.suppress(BrokenPipeError):
        print("\n".join(show_failures(json.loads(Path(options.file).read_text()))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
