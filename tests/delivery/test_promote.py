"""`bin/promote` against a registry of the test's own on loopback, over TLS, with passwords or tokens; and against Debian's."""

import base64
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.sources import ROOT

USER, PASSWORD = "pusher", "pa$s #1 'x' \"y\""
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
SINGLE = "application/vnd.docker.distribution.manifest.v2+json"
COMMIT = "0123abc"
NEW = (LIST, b'{"new": 1}')


def digest_of(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


class FakeRegistry(ThreadingHTTPServer):
    """Speaks as much of the API as a tag needs; `bearer` sells tokens as Docker Hub does."""

    bearer = False
    broken = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.tags: dict[str, tuple[str, bytes]] = {}
        self.known: dict[str, tuple[str, bytes]] = {}
        self.asked: list[tuple[str, str]] = []

    def find(self, reference: str) -> tuple[str, bytes]:
        """Return what stands under a tag or a digest; nothing is ever thrown away here."""
        self.known |= {"sha256:" + hashlib.sha256(body).hexdigest(): (kind, body) for kind, body in self.tags.values()}
        return (self.tags | self.known).get(reference, ("", b""))


class Handler(BaseHTTPRequestHandler):
    server: FakeRegistry

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def may(self) -> bool:
        given = self.headers.get("Authorization", "")
        if given == ("Bearer bought" if self.server.bearer else BASIC):
            return True
        port = self.server.server_address[1]
        challenge = 'Basic realm="registry"'
        if self.server.bearer:
            challenge = f'Bearer realm="https://localhost:{port}/token",service="fake",scope="repository:a/b:pull"'
        self.answer(401, WWW_Authenticate=challenge)
        return False

    def do_GET(self) -> None:
        self.server.asked.append(("GET", self.path))
        if self.path.startswith("/token"):
            right = self.headers.get("Authorization") == BASIC
            self.answer(200 if right else 401, json.dumps({"token": "bought"}).encode())
        elif self.may():
            kind, body = self.server.find(self.path.rpartition("/")[2])
            if not body:
                self.answer(404)
            else:
                assert kind in self.headers["Accept"]
                self.answer(200, body, Content_Type=kind)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.may():
            self.server.asked.append(("PUT", self.path))
            self.server.tags[self.path.rpartition("/")[2]] = (self.headers["Content-Type"], body)
            self.answer(201)


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("authority")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", folder / "key.pem", "-out", folder / "ca.pem"),
        ],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture
def registry(authority) -> Iterator[FakeRegistry]:
    server = FakeRegistry()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "ca.pem", authority / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def promote(
    port: int, authority: Path, *arguments: str, program: Path = ROOT / "bin" / "promote", **variables: str
) -> subprocess.CompletedProcess[str]:
    given = {
        "PATH": os.environ["PATH"],
        "DOCKER_HUB_REPO": f"localhost:{port}/shop/site",
        "DOCKER_HUB_USER": USER,
        "DOCKER_HUB_PASSWORD": PASSWORD,
        "DOCKER_IMAGE_TAG": "un.usual_TAG",
        "DOCKER_REGISTRY_CA": (authority / "ca.pem").read_text().strip().replace("\n", "\\n"),
    }
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, env=given | variables, timeout=60
    )


@pytest.mark.parametrize("bearer", [False, True])
@pytest.mark.parametrize("kind", [LIST, SINGLE])
def test_the_plain_tag_becomes_the_commits_manifest_byte_for_byte_and_once_more(registry, authority, bearer, kind):
    registry.bearer = bearer
    body = b'{"schemaVersion": 2,   "spaces kept": true}\n'
    registry.tags[f"un.usual_TAG-{COMMIT}"] = (kind, body)
    registry.tags["un.usual_TAG"] = (SINGLE, b"{}")
    port = registry.server_address[1]

    for _ in range(2):
        done = promote(port, authority, IMAGE_DIGEST=digest_of(body))

        assert done.returncode == 0, done.stderr
        assert registry.tags["un.usual_TAG"] == (kind, body)
        assert "sha256:" + hashlib.sha256(body).hexdigest() in done.stdout
        assert PASSWORD not in done.stdout + done.stderr


def test_an_image_that_was_not_pushed_leaves_the_tag_where_it_was(registry, authority):
    registry.tags["un.usual_TAG"] = (SINGLE, b"{}")

    done = promote(registry.server_address[1], authority, IMAGE_DIGEST=digest_of(b"lost"))

    assert done.returncode == 1
    assert f"has no {digest_of(b'lost')}. Was the build pushed?" in done.stderr
    assert registry.tags == {"un.usual_TAG": (SINGLE, b"{}")}


@pytest.mark.parametrize("bearer", [False, True])
def test_a_wrong_password_is_named_and_not_shown(registry, authority, bearer):
    registry.bearer = bearer

    done = promote(registry.server_address[1], authority, DOCKER_HUB_PASSWORD="wrong-one", IMAGE_DIGEST=digest_of(b"x"))

    assert done.returncode == 1
    assert "does not take DOCKER_HUB_USER and DOCKER_HUB_PASSWORD" in done.stderr
    assert "wrong-one" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"DOCKER_IMAGE_TAG": "", "DOCKER_IAMGE_TAG": "x"},
            "not set: DOCKER_IMAGE_TAG. DOCKER_IAMGE_TAG is set: spell it",
        ),
        ({"DOCKER_HUB_USER": "", "DOCKER_HUB_REPO": ""}, "not set: DOCKER_HUB_REPO, DOCKER_HUB_USER."),
        ({"DOCKER_REGISTRY_CA": ""}, "certificate verify failed"),
        ({"DOCKER_REGISTRY_CA": "no certificate"}, "DOCKER_REGISTRY_CA is no certificate"),
        ({"DOCKER_HUB_REPO": "localhost:1/a/b"}, "the registry at localhost:1 does not answer"),
        ({"IMAGE_DIGEST": ""}, "no image was pushed for this output"),
        ({"IMAGE_DIGEST": "latest"}, "no image was pushed for this output"),
    ],
)
def test_refuses_in_plain_words(registry, authority, variables, said):
    done = promote(registry.server_address[1], authority, **{"IMAGE_DIGEST": digest_of(b"x")} | variables)

    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for method, path in registry.asked if method == "PUT"]


@pytest.fixture
def output(tmp_path) -> Path:
    """The output of a build, as far as it takes part."""
    shutil.copytree(ROOT / "bin", tmp_path / "bin", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "COMMIT").write_text(f"{COMMIT}\n")
    (tmp_path / "DIGEST").write_text(digest_of(NEW[1]) + "\n")
    return tmp_path


def test_what_was_built_is_taken_whoever_has_moved_its_tag(registry, authority, output):
    """A tag says what somebody with the registry's password last said; the output knows what its build pushed."""
    registry.tags |= {"un.usual_TAG": (SINGLE, b"{}"), f"un.usual_TAG-{COMMIT}": NEW}
    port, program = registry.server_address[1], output / "bin" / "promote"
    registry.find("")  # the registry keeps what it was given, also without a tag
    registry.tags[f"un.usual_TAG-{COMMIT}"] = (SINGLE, b'{"of a thief": 1}')

    shown = promote(port, authority, "--built", program=program)
    assert shown.stdout.strip() == digest_of(NEW[1])
    assert promote(port, authority, program=program).returncode == 0
    assert registry.tags["un.usual_TAG"] == NEW


def test_a_tag_goes_back_to_what_it_was_before(registry, authority, output):
    old, new = (SINGLE, b'{"old": 1}'), NEW
    registry.tags |= {"un.usual_TAG": old, f"un.usual_TAG-{COMMIT}": new}
    port = registry.server_address[1]

    assert promote(port, authority, program=output / "bin" / "promote").returncode == 0
    assert registry.tags["un.usual_TAG"] == new
    for _ in range(2):
        back = promote(port, authority, "--back", program=output / "bin" / "promote")

        assert back.returncode == 0, back.stderr
        assert registry.tags["un.usual_TAG"] == old


def test_what_the_server_runs_counts_for_more_than_what_was_noted(registry, authority, output):
    """A deploy that was repeated, or waited for another, has noted an image that never served."""
    serves, broken, new = (SINGLE, b'{"serves": 1}'), (SINGLE, b'{"broken": 1}'), NEW
    registry.tags |= {"un.usual_TAG": broken, "kept": serves, f"un.usual_TAG-{COMMIT}": new}
    running = "sha256:" + hashlib.sha256(serves[1]).hexdigest()
    port = registry.server_address[1]

    assert promote(port, authority, program=output / "bin" / "promote").returncode == 0
    back = promote(port, authority, "--back", running, program=output / "bin" / "promote")

    assert back.returncode == 0, back.stderr
    assert registry.tags["un.usual_TAG"] == serves


def test_a_tag_of_a_first_deploy_has_nothing_to_go_back_to(registry, authority, output):
    new = NEW
    registry.tags |= {f"un.usual_TAG-{COMMIT}": new}
    port = registry.server_address[1]

    done = [promote(port, authority, *way, program=output / "bin" / "promote") for way in ((), ("--back",))]

    assert [one.returncode for one in done] == [0, 0], done
    assert registry.tags["un.usual_TAG"] == new


def test_show_prints_the_digest_and_moves_nothing(registry, authority):
    registry.tags["nginx"] = (LIST, b"[]")

    done = promote(registry.server_address[1], authority, "--show", "nginx")

    assert done.stdout == "sha256:" + hashlib.sha256(b"[]").hexdigest() + "\n"
    assert {method for method, _ in registry.asked} == {"GET"}


@pytest.mark.parametrize(
    ("repository", "host", "name"),
    [
        ("someone/site", "registry-1.docker.io", "someone/site"),
        ("site", "registry-1.docker.io", "library/site"),
        ("docker.io/someone/site", "registry-1.docker.io", "someone/site"),
        ("registry.example:5000/a/b", "registry.example:5000", "a/b"),
        ("localhost/a", "localhost", "a"),
    ],
)
def test_a_repository_is_read_as_docker_reads_it(repository, host, name):
    script = "import sys; sys.path[:0] = ['bin/lib']\nfrom deploy.registry import split_repository as s\nprint(*s(sys.argv[1]))"

    done = subprocess.run(["python3", "-c", script, repository], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.split() == [host, name]


@contextmanager
def debian_registry(folder: Path, authority: Path, port: int) -> Iterator[None]:
    hashing = "import crypt, sys; print(crypt.crypt(sys.stdin.read(), crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))"
    hashed = subprocess.run(
        ["python3", "-W", "ignore", "-c", hashing], input=PASSWORD, capture_output=True, text=True, check=True
    ).stdout.strip()
    (folder / "htpasswd").write_text(f"{USER}:{hashed}\n")
    (folder / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}', tls: {{certificate: {authority}/ca.pem, key: {authority}/key.pem}}}}\n"
        f"auth: {{htpasswd: {{realm: r, path: {folder}/htpasswd}}}}\n"
    )
    with (folder / "log").open("w") as log:
        serving = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        yield
    finally:
        serving.terminate()
        serving.wait(10)


def put(url: str, method: str, authority: Path, body: bytes = b"", kind: str = "application/octet-stream") -> str:
    request = urllib.request.Request(url, data=body, method=method)  # noqa: S310 -- loopback
    request.add_header("Authorization", BASIC)
    request.add_header("Content-Type", kind)
    context = ssl.create_default_context(cafile=authority / "ca.pem")
    with urllib.request.urlopen(request, context=context, timeout=10) as answer:  # noqa: S310 -- loopback
        return answer.headers.get("Location", "")


@pytest.mark.docker
def test_debians_registry_moves_a_tag_too(tmp_path, authority):
    port = 20000 + os.getpid() % 10000
    base = f"https://localhost:{port}/v2/shop/site"
    config = b"{}"
    digest = "sha256:" + hashlib.sha256(config).hexdigest()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": SINGLE,
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": digest},
            "layers": [],
        }
    ).encode()
    with debian_registry(tmp_path, authority, port):
        for attempt in range(50):
            try:
                upload = put(f"{base}/blobs/uploads/", "POST", authority)
                break
            except OSError:
                assert attempt < 49, (tmp_path / "log").read_text()[-2000:]
                time.sleep(0.1)
        put(f"{upload}&digest={digest}", "PUT", authority, config)
        put(f"{base}/manifests/un.usual_TAG-{COMMIT}", "PUT", authority, manifest, SINGLE)

        moved = promote(port, authority, IMAGE_DIGEST=digest_of(manifest))
        shown = promote(port, authority, "--show", "un.usual_TAG")

    assert moved.returncode == 0, moved.stderr
    assert shown.stdout.strip() == "sha256:" + hashlib.sha256(manifest).hexdigest()
