"""The rehearsal's load: what it sends, what it counts, and that it never asks twice."""

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LOAD = ROOT / "bin/lib/rehearse/load.py"


class Site(ThreadingHTTPServer):
    """Answers like the site, except to the requests whose numbers `unwell` names."""

    daemon_threads = True

    def __init__(self, context, unwell):
        super().__init__(("127.0.0.1", 0), Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.unwell, self.lock, self.seen = unwell, threading.Lock(), []

    def handle_error(self, request, client_address):
        """A client that hangs up is part of these tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        kind = self.headers["User-Agent"].removeprefix("rehearsal-")
        with self.server.lock:
            number = sum(1 for seen in self.server.seen if seen[0] == kind)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.server.seen.append((kind, self.path, self.headers["Idempotency-Key"], body, self.client_address))
        how = self.server.unwell.get((kind, number), "well")
        status = {"error": 500, "refused": 400}.get(how, 201 if kind == "post" else 200)
        if how == "cut":
            self.close_connection = True
            return
        bodies = {"well": {"unique_reference": f"O{number}"}, "refused": {"code": "rate_unavailable"}}
        answer = json.dumps(bodies.get(how, {})).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        if how == "last":
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET  # noqa: N815 -- the library looks for this name

    def log_message(self, *args):
        """The tests look at `seen`."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The rehearsal's own authority and a certificate of it for this machine and for site.example."""
    home = tmp_path_factory.mktemp("rehearsal")
    script = (
        ". bin/lib/steps.sh; . bin/lib/rehearse/certificates.sh; ensure_ca; issue_certificate $REHEARSAL_DIR/site $NAME"
    )
    subprocess.run(
        ["bash", "-c", script],
        check=True,
        cwd=ROOT,
        env={**os.environ, "REHEARSAL_DIR": str(home), "NAME": "site.example"},
    )
    return home


@pytest.fixture
def serve(certificate):
    sites = []

    def serve(unwell=()):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "site/fullchain.pem", certificate / "site/privkey.pem")
        site = Site(context, dict(unwell))
        threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.02}).start()
        sites.append(site)
        return site

    yield serve
    for site in sites:
        site.shutdown()
        site.server_close()


def command(site, certificate, out, *more):
    place = f"127.0.0.1:{site.server_address[1]}"
    return [
        *(sys.executable, LOAD, "run", "--site", "https://site.example", "--address", place),
        *("--ca", certificate / "ca/ca.pem", "--out", out, *more),
    ]


def run(site, certificate, tmp_path, *more):
    out = tmp_path / "load.json"
    subprocess.run(command(site, certificate, out, *more), check=True, timeout=60)
    return json.loads(out.read_text())


def test_counts_what_was_asked_and_what_was_opened(serve, certificate, tmp_path):
    site = serve()

    report = run(site, certificate, tmp_path, "--rate", "50", "--count", "20")

    assert report["ended"]
    assert {kind: (now["requests"], now["failed"]) for kind, now in report["kinds"].items()} == {
        "get": (20, 0),
        "post": (20, 0),
        "kept": (20, 0),
    }
    assert sorted(report["orders"]) == sorted(f"O{number}" for number in range(20))
    posted = [seen for seen in site.seen if seen[0] == "post"]
    assert len({key for _kind, _path, key, _body, _from in posted}) == 20
    assert json.loads(posted[0][3])["pair"] == {"name": "ETHLTC"}


def test_kept_connections_are_kept_and_single_requests_are_not(serve, certificate, tmp_path):
    site = serve()

    report = run(site, certificate, tmp_path, "--rate", "40", "--count", "20")

    assert report["kinds"]["get"]["connections"] == 20
    assert report["kinds"]["kept"]["connections"] <= 6
    assert len({seen[4] for seen in site.seen if seen[0] == "kept"}) == report["kinds"]["kept"]["connections"]


def test_a_failure_is_counted_with_its_cause_and_never_repeated(serve, certificate, tmp_path):
    site = serve({("get", 3): "error", ("post", 4): "cut", ("post", 5): "nothing", ("kept", 6): "cut"})

    report = run(site, certificate, tmp_path, "--rate", "50", "--count", "12")

    kinds = report["kinds"]
    assert kinds["get"]["causes"] == {"status 500": 1}
    assert kinds["post"]["failed"] == 2
    assert kinds["post"]["causes"]["an answer without an order's reference"] == 1
    assert (kinds["kept"]["requests"], kinds["kept"]["failed"]) == (12, 1)
    assert len(site.seen) == 36
    assert len(report["failures"]) == 4
    assert len(report["orders"]) == 10
    cut = [seen[2] for seen in site.seen if seen[0] == "post"][4]
    assert report["unanswered"] == [cut]


def test_the_causes_of_failures_are_shown_with_their_moments(serve, certificate, tmp_path):
    site = serve({("post", 4): "refused", ("post", 5): "refused"})

    run(site, certificate, tmp_path, "--rate", "50", "--count", "12")

    words = [sys.executable, LOAD, "failures", tmp_path / "load.json"]
    shown = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert re.fullmatch(r"2 post: status 400 rate_unavailable, [0-9:]{8} to [0-9:]{8}\n", shown)


def test_a_connection_that_the_site_ends_in_order_is_no_failure(serve, certificate, tmp_path):
    site = serve({("kept", number): "last" for number in range(12)})

    report = run(site, certificate, tmp_path, "--rate", "50", "--count", "12")

    assert report["kinds"]["kept"]["failed"] == 0
    assert report["kinds"]["kept"]["connections"] == 12


def test_a_strange_certificate_fails_every_request(serve, certificate, tmp_path):
    site = serve()

    report = run(site, certificate, tmp_path, "--rate", "50", "--count", "2", "--site", "https://other.example")

    assert [now["failed"] for now in report["kinds"].values()] == [2, 2, 2]
    assert "Hostname mismatch" in next(iter(report["kinds"]["get"]["causes"]))


def test_ends_when_told_and_reports_until_then(serve, certificate, tmp_path):
    site, out, old = serve(), tmp_path / "load.json", tmp_path / "old.json"

    load = subprocess.Popen(command(site, certificate, out, "--rate", "30"))
    deadline = time.monotonic() + 20
    while len(site.seen) < 30 and time.monotonic() < deadline:
        time.sleep(0.05)
    old.write_text(out.read_text())
    time.sleep(1)
    load.send_signal(signal.SIGTERM)
    assert load.wait(20) == 0

    before, after = json.loads(old.read_text()), json.loads(out.read_text())
    assert (before["ended"], after["ended"]) == (False, True)
    assert sum(now["requests"] for now in after["kinds"].values()) == len(site.seen)
    for kind, now in after["kinds"].items():
        assert now["requests"] > before["kinds"][kind]["requests"]
