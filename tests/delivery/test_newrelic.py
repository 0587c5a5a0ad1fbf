"""newrelic.ini, and what the agent says to a collector of the test's own: who it is, and nothing about customers."""

import configparser
import gzip
import http.server
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from pathlib import Path

import pytest

from tests.nodes import free_port
from tests.sources import ROOT

pytestmark = pytest.mark.slow
KEY = "0123456789abcdef0123456789abcdef01234567"
ENVIRONMENTS = ("development", "test", "staging", "production")
ADMIN = str(Path(sys.executable).with_name("newrelic-admin"))

CONNECTED = {
    "agent_run_id": "1",
    "collect_analytics_events": True,
    "collect_errors": True,
    "collect_error_events": True,
    "collect_traces": True,
    "collect_span_events": True,
    "transaction_tracer.transaction_threshold": 0.0,
}


class Collector(http.server.ThreadingHTTPServer):
    """Answers preconnect, connect and each report over TLS as the real one does, and remembers them."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Answer)
        self.calls, self.certificate = [], folder / "collector.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-keyout",
             folder / "collector.key", "-out", self.certificate, "-addext", "subjectAltName=IP:127.0.0.1"],
            check=True,
            capture_output=True,
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, folder / "collector.key")
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request, client_address):
        """A caller that hangs up early is the test's own doing."""

    def methods(self):
        return [method for method, _, _ in self.calls]

    def wait_for(self, method):
        deadline = time.monotonic() + 30
        while method not in self.methods():
            assert time.monotonic() < deadline, f"no {method}; came: {self.methods()}"
            time.sleep(0.05)
        return next(call for call in self.calls if call[0] == method)


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "deflate":
            body = zlib.decompress(body)
        elif self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        method = query["method"][0]
        self.server.calls.append((method, query["license_key"][0], body.decode()))
        value = {"preconnect": {"redirect_host": "127.0.0.1"}, "connect": CONNECTED}.get(method)
        answer = json.dumps({"return_value": value}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def collector(tmp_path):
    server = Collector(tmp_path)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def agent_environment(collector, **variables):
    without = {name: value for name, value in os.environ.items() if not name.startswith("NEW_RELIC_")}
    return {
        **without,
        "NEW_RELIC_CONFIG_FILE": str(ROOT / "newrelic.ini"),
        "NEW_RELIC_HOST": "127.0.0.1",
        "NEW_RELIC_PORT": str(collector.server_port),
        "NEW_RELIC_CA_BUNDLE_PATH": str(collector.certificate),
        "DJANGO_SETTINGS_MODULE": "nexchange.settings_test",
        **variables,
    }


def ask(port):
    """Ask for the page of an order; whether the site answered, be it that there is none."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/order/SENTINEL-1/?secret=SENTINEL-2", timeout=20).close()
    except urllib.error.HTTPError as answer:
        answer.close()
        return True
    except OSError:
        return False
    return True


@pytest.fixture
def gunicorn(tmp_path):
    """Start the site under the agent; yields (start, finish). finish() returns all that the process said."""
    started = []

    def start(environment):
        port = free_port()
        log = (tmp_path / "gunicorn.log").open("w+")
        process = subprocess.Popen(
            [ADMIN, "run-program", "gunicorn", "nexchange.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1",
             "--no-control-socket"],
            cwd=ROOT,
            env=environment | {"PATH": f"{Path(sys.executable).parent}:{environment['PATH']}"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        started.append((process, log))
        deadline = time.monotonic() + 30
        while not ask(port):
            assert time.monotonic() < deadline, (tmp_path / "gunicorn.log").read_text()
            time.sleep(0.1)
        return port

    def finish():
        process, log = started.pop()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        log.close()
        return (tmp_path / "gunicorn.log").read_text()

    yield start, finish
    for process, log in started:
        process.kill()
        process.wait()
        log.close()


def test_each_environment_has_a_name_of_its_own_and_none_holds_a_key():
    parser = configparser.RawConfigParser()
    parser.read_string((ROOT / "newrelic.ini").read_text())

    names = [parser.get(f"newrelic:{environment}", "app_name") for environment in ENVIRONMENTS]

    assert len(set(names)) == len(ENVIRONMENTS)
    assert {s.partition(":")[2] for s in parser.sections()} == {"", *ENVIRONMENTS}
    assert not any(parser.has_option(section, "license_key") for section in parser.sections())
    assert not parser.has_option("newrelic", "monitor_mode"), "NEW_RELIC_MONITOR_MODE=false would count for nothing"


@pytest.mark.parametrize("environment", ["development", "staging", "production"])
def test_the_agents_own_validation_accepts_the_file_and_reaches_the_collector(collector, environment, tmp_path):
    done = subprocess.run(
        [ADMIN, "validate-config", ROOT / "newrelic.ini", tmp_path / "agent.log"],
        env=agent_environment(collector, NEW_RELIC_LICENSE_KEY=KEY, NEW_RELIC_ENVIRONMENT=environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    said = (tmp_path / "agent.log").read_text()
    assert done.returncode == 0, done.stderr
    assert "connect" in collector.methods()
    assert not [line for line in said.splitlines() if "Unknown" in line or "not recognized" in line.lower()], said


def test_the_site_reports_under_its_environments_name_with_the_given_key_and_keeps_customers_to_itself(
    collector, gunicorn
):
    start, finish = gunicorn

    port = start(agent_environment(collector, NEW_RELIC_LICENSE_KEY=KEY, NEW_RELIC_ENVIRONMENT="staging"))
    _, key, body = collector.wait_for("connect")
    time.sleep(1)  # what happens before the agent took the answer in is not reported
    ask(port)
    said = finish()

    assert json.loads(body)[0]["app_name"] == ["nexchange (staging)"]
    assert key == KEY
    assert {"metric_data", "analytic_event_data"} <= set(collector.methods()), "it reports what it has when it stops"
    assert not [method for method, _, sent in collector.calls if "SENTINEL" in sent]
    assert KEY not in said


def test_the_environment_named_test_measures_nothing(collector, gunicorn):
    start, finish = gunicorn

    start(agent_environment(collector, NEW_RELIC_LICENSE_KEY=KEY, NEW_RELIC_ENVIRONMENT="test"))
    time.sleep(1)

    assert "newrelic" not in finish().lower()
    assert collector.calls == []


@pytest.mark.parametrize("script", ["entrypoint.sh", "bin/steps/settings"])
def test_without_a_key_nothing_is_sent_or_said(collector, gunicorn, script):
    start, finish = gunicorn
    start(agent_environment(collector, NEW_RELIC_ENVIRONMENT="production", **variables_without_key(script)))
    time.sleep(1)

    assert collector.calls == []
    assert "newrelic" not in finish().lower()


def variables_without_key(script):
    """What the script exports where there is no key: read from the script itself, so that this test follows it."""
    line = next(line for line in (ROOT / script).read_text().splitlines() if "export NEW_RELIC_ENABLED=false" in line)
    pairs = line.partition("export ")[2].partition(";")[0].split()
    return dict(pair.split("=") for pair in pairs)
