"""The search for spilt secrets finds what was spilt on purpose, and says nothing of what was not."""

import base64
import gzip
import io
import json
import shlex
import subprocess
import sys
import tarfile
import urllib.parse
import uuid

import pytest

from tests.delivery.processes import wait_until
from tests.sources import ROOT

SECRETS = {
    "SECRET_KEY": 'canary-$ecret\'with "all" #kinds/of+signs',
    "TOKEN_KEY": "canary-token-0123456789",
    "PEM_FILE_CONTENT": "-----BEGIN KEY-----\\nabcdefghijklmnop\\nqrstuvwxyz012345\\n-----END KEY-----",
}


@pytest.fixture
def search(tmp_path):
    secrets = tmp_path / "target.env"
    secrets.write_text("X_SITE_MODE=demo\n" + "".join(f"XXX_{name}={value}\n" for name, value in SECRETS.items()))

    def run(*arguments, secrets=secrets):
        return subprocess.run(
            [sys.executable, ROOT / "bin" / "canaries", "--secrets", secrets, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def base64_lines(text, before):
    return base64.encodebytes((before + text).encode())


SPILT = [SECRETS["SECRET_KEY"].encode(), json.dumps({"key": SECRETS["SECRET_KEY"]}).encode(),
         f"K={shlex.quote(SECRETS['SECRET_KEY'])}".encode(), urllib.parse.quote(SECRETS["SECRET_KEY"], safe="").encode(),
         SECRETS["SECRET_KEY"].replace("$", "$$").encode(), base64_lines(SECRETS["SECRET_KEY"], ""),
         base64_lines(SECRETS["SECRET_KEY"], "1"), base64_lines(SECRETS["SECRET_KEY"] + "more", "12"),
         base64_lines(SECRETS["SECRET_KEY"], "x" * 400)]  # fmt: skip


@pytest.mark.parametrize("spilt", SPILT)
def test_each_way_to_write_a_value_is_found_in_a_file(search, tmp_path, spilt):
    (tmp_path / "log").write_bytes(b"noise\n" * 50 + spilt + b"\nnoise")

    done = search("--file", str(tmp_path / "log"))

    assert done.returncode == 1
    assert f"SECRET_KEY is in {tmp_path / 'log'}" in done.stdout
    assert "TOKEN_KEY" not in done.stdout
    assert SECRETS["SECRET_KEY"] not in done.stdout + done.stderr


def test_a_key_with_real_line_breaks_a_packed_file_and_the_edge_of_a_block_hide_nothing(search, tmp_path):
    (tmp_path / "pem").write_text(SECRETS["PEM_FILE_CONTENT"].replace("\\n", "\n"))
    (tmp_path / "old.gz").write_bytes(gzip.compress(SECRETS["TOKEN_KEY"].encode()))
    (tmp_path / "edge").write_bytes(b"x" * ((1 << 20) - 5) + SECRETS["TOKEN_KEY"].encode())

    said = search(*(word for name in ("pem", "old.gz", "edge") for word in ("--file", str(tmp_path / name)))).stdout

    assert f"PEM_FILE_CONTENT is in {tmp_path}/pem" in said
    assert f"TOKEN_KEY is in {tmp_path}/old.gz (unpacked)" in said
    assert f"TOKEN_KEY is in {tmp_path}/edge" in said


def test_clean_files_are_clean_and_the_file_of_secrets_itself_does_not_count(search, tmp_path):
    (tmp_path / "log").write_text("canary-token-012345678 canary-$ecret\n")

    done = search("--file", str(tmp_path))

    assert done.returncode == 0
    assert "for 3 values: 0 finds" in done.stdout


def test_a_value_in_a_programs_arguments_is_found(search):
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", SECRETS["TOKEN_KEY"]])
    try:
        done = search("--processes")
    finally:
        program.kill()
        program.wait()

    assert done.returncode == 1
    assert "TOKEN_KEY is in ps" in done.stdout


def test_what_cannot_be_searched_is_no_success(search, tmp_path):
    (tmp_path / "short").write_text("SECRET_KEY=short\n")

    missing = search("--file", str(tmp_path / "nothing"))
    short = search(secrets=tmp_path / "short")

    assert missing.returncode == 2
    assert "there is no file" in missing.stderr
    assert short.returncode == 2
    assert "too short to be looked for, at least 8 characters: SECRET_KEY" in short.stderr


def test_a_layer_that_two_images_have_is_searched_once_and_named_for_both(search, tmp_path):
    manifest = [{"Config": f"{tag}.json", "RepoTags": [tag], "Layers": ["first/layer.tar"]} for tag in ("a:1", "b:2")]
    with tarfile.open(tmp_path / "saved.tar", "w") as saved:
        second = tarfile.TarInfo("second/layer.tar")
        second.type, second.linkname = tarfile.SYMTYPE, "../first/layer.tar"
        saved.addfile(second)
        for name, text in (("first/layer.tar", SECRETS["TOKEN_KEY"]), ("manifest.json", json.dumps(manifest))):
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            saved.addfile(member, io.BytesIO(text.encode()))
    (tmp_path / "docker").write_text(f'#!/bin/sh\n[ "$1" != save ] || cat {tmp_path}/saved.tar\n')
    (tmp_path / "docker").chmod(0o755)

    done = search("--docker", str(tmp_path / "docker"), "--image", "a:1", "--image", "b:2")

    assert done.returncode == 1, done.stderr
    found = [line for line in done.stdout.splitlines() if "TOKEN_KEY is in" in line]
    assert found == [f"TOKEN_KEY is in {tag}: first/layer.tar" for tag in ("a:1", "b:2")]


@pytest.mark.docker
def test_an_image_and_a_container_that_leak_are_caught(search, tmp_path):
    name = f"backup-leak-{uuid.uuid4().hex[:8]}"
    built = subprocess.run(
        ["docker", "build", "--quiet", "--tag", name, "-"],
        input=leaking_context(), capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    try:
        run = ["docker", "run", "--name", name, "--entrypoint", "echo", "redis:latest", f"key {SECRETS['TOKEN_KEY']}"]
        subprocess.run(run, check=True, capture_output=True, timeout=60)
        done = search("--image", name, "--container", name)
        clean = search("--image", f"{name}:nothing")
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True, timeout=60)
        subprocess.run(["docker", "rmi", "--force", name], check=False, capture_output=True, timeout=60)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "SECRET_KEY is in" in done.stdout
    assert "/overwritten" in done.stdout, "a file that a later layer replaced"
    assert f"TOKEN_KEY is in {name}: history" in done.stdout
    assert f"TOKEN_KEY is in {name}: configuration" in done.stdout
    assert f"TOKEN_KEY is in {name}: docker logs" in done.stdout
    assert clean.returncode == 2, "an image that is not there is not a clean one"


def leaking_context():
    files = {
        "Dockerfile": "FROM scratch\nCOPY first /overwritten\nCOPY second /overwritten\n"
        f'LABEL key="{base64.b64encode(SECRETS["TOKEN_KEY"].encode()).decode()}"\n',
        "first": base64_lines(SECRETS["SECRET_KEY"], "7").decode(),
        "second": "nothing here",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


@pytest.mark.docker  # like the rehearsal it wants the machine itself: in a container the kernel tells nothing
def test_the_watch_sees_programs_that_live_for_a_moment_only(tmp_path):
    seen = tmp_path / "programs.log"
    command = [sys.executable, ROOT / "bin" / "lib" / "rehearse" / "arguments.py"]
    with seen.open("w") as log, subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as watch:
        assert wait_until(lambda: "watching" in seen.read_text()), seen.read_text()
        for number in range(50):
            subprocess.run(["/bin/true", f"moment-{number}"], check=True)
        wait_until(lambda: "moment-49" in seen.read_text())
        watch.terminate()

    lines = seen.read_text().splitlines()
    assert watch.returncode == 0
    assert sum(line.startswith("/bin/true moment-") for line in lines) > 40
    assert "programs were started" in lines[-1]
