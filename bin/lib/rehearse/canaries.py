#!/usr/bin/env python3
"""Looks for secrets where none may be: image layers and history, containers' logs and settings, files, the process list.

    canaries.py --secrets FILE [--image NAME]… [--container NAME]… [--file PATH]… [--processes] [--docker COMMAND]

FILE holds NAME=value lines, with X_ or XXX_ before NAME or without; of a file with such prefixes only the XXX_ lines count.
Each value is searched for as it is, as JSON, a shell and a URL would write it, and inside base64 at each of the three
offsets, in compressed layers and gzip files too. Prints a line per find: which variable, where; never the value. Status 0:
nothing found, 1: found, 2: something could not be searched.
"""

import argparse
import base64
import gzip
import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

SHORTEST = 8  # shorter values would be found everywhere by chance
BLOCK = 1 << 20


class Unsearchable(Exception):
    """Something that was to be searched cannot be read."""


def read_secrets(path: Path) -> dict[str, str]:
    """Return name and value of each secret in the file. Raises: Unsearchable for one too short to be looked for."""
    lines = re.findall(r"^(X_|XXX_|)([A-Za-z_][A-Za-z0-9_]*)=(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    prefixed = any(prefix for prefix, _, _ in lines)
    found = {name: value for prefix, name, value in lines if not prefixed or prefix == "XXX_"}
    if not found:
        raise Unsearchable(f"{path} holds no secret")
    if short := [name for name, value in found.items() if len(value) < SHORTEST]:
        raise Unsearchable(f"too short to be looked for, at least {SHORTEST} characters: {', '.join(short)}")
    return found


def list_forms(value: str) -> set[bytes]:
    """Return the ways in which a program may have written the value."""
    plain = value.encode()
    forms = {
        plain,
        json.dumps(value)[1:-1].encode(),
        shlex.quote(value)[1:-1].encode() if shlex.quote(value) != value else plain,
        urllib.parse.quote(value, safe="").encode(),
        value.replace("$", "$$").encode(),
        value.replace("\\n", "").encode(),  # a key on one line: the file it is of has line breaks instead
        re.sub(r"(\W)", r"\\\1", value).encode(),
    }
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + plain)
        # Characters at either end mix the value's bits with its neighbours'.
        inner = text[(0, 2, 3)[offset] : len(text) - (0, 3, 2)[(offset + len(plain)) % 3]]
        forms |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return {form for form in forms if len(form) >= SHORTEST}


def list_joined(text: bytes) -> list[bytes]:
    """Return the text as it is and without the line breaks that base64 and keys are often broken by."""
    joined = [text.translate(None, b"\r\n")]
    return [text, *joined, *[joined[0].replace(b"\\n", b"")] * (b"\\n" in text)]


class Search:
    """The secrets' forms, and what was found where. Each stream goes through grep first, which is fast."""

    def __init__(self, secrets: dict[str, str], folder: Path) -> None:
        self.forms = {form: name for name, value in secrets.items() for form in list_forms(value)}
        self.longest = max(map(len, self.forms))
        self.found: set[tuple[str, str]] = set()
        self.bytes = 0
        self.secrets, self.folder = secrets, folder
        self.patterns = folder / "forms"
        self.patterns.write_bytes(b"\n".join(self.forms) + b"\n")

    def holds_any(self, stream: IO[bytes]) -> bool:
        """Say whether any form is somewhere in the stream, without saying which."""
        with subprocess.Popen(
            ["grep", "-aqF", "-f", self.patterns], stdin=subprocess.PIPE, env=os.environ | {"LC_ALL": "C"}
        ) as grep:
            try:
                for text in self._blocks(stream):
                    grep.stdin.write(b"\n".join(list_joined(text)) + b"\n")
                grep.stdin.close()
            except BrokenPipeError:
                pass  # it found one and stopped reading
        if grep.returncode > 1:
            raise Unsearchable("grep failed")
        return grep.returncode == 0

    def look(self, stream: IO[bytes], where: str) -> None:
        """Name the variables that are in a stream."""
        for text in self._blocks(stream):
            for joined in list_joined(text):
                self.found |= {(name, where) for form, name in self.forms.items() if form in joined}

    def look_if_any(self, stream: IO[bytes], where: str) -> None:
        if self.holds_any(stream):
            stream.seek(0)
            self.look(stream, where)

    def _blocks(self, stream: IO[bytes]) -> Iterator[bytes]:
        """Yield the stream in blocks that overlap by more than the longest form, line breaks in it included."""
        rest = b""
        while block := stream.read(BLOCK):
            self.bytes += len(block)
            yield rest + block
            rest = (rest + block)[-2 * self.longest :]

    def look_at_text(self, text: bytes, where: str) -> None:
        with tempfile.SpooledTemporaryFile() as file:
            file.write(text)
            file.seek(0)
            self.look_if_any(file, where)

    def look_at_file(self, path: Path, where: str) -> None:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            self.look_if_any(file, where)
        if packed:
            with gzip.open(path) as file:
                self.look_if_any(file, f"{where} (unpacked)")


def run(command: list[str]) -> bytes:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise Unsearchable(f"{shlex.join(command)}: {done.stdout.decode(errors='replace').strip()[-300:]}")
    return done.stdout


def search_images(search: Search, docker: list[str], images: list[str]) -> None:
    """Search the images' histories, their configurations and every file of every layer, deleted ones too.

    All are saved at once: what they share is in the archive once, and releases share most of their layers.
    """
    for image in images:
        history = run([*docker, "history", "--no-trunc", "--format", "{{.CreatedBy}} {{.Comment}}", image])
        search.look_at_text(history, f"{image}: history")
        search.look_at_text(run([*docker, "image", "inspect", image]), f"{image}: configuration")
    owners: dict[str, list[str]] = {}
    layers = Search(search.secrets, search.folder)
    with subprocess.Popen([*docker, "save", *images], stdout=subprocess.PIPE) as save:
        with tarfile.open(fileobj=save.stdout, mode="r|") as archive:
            for member in archive:
                # Two layers with the same content are saved once, the second as a link within the archive.
                if not member.isfile():
                    continue
                content = archive.extractfile(member)
                with tempfile.TemporaryFile() as file:
                    while block := content.read(BLOCK):
                        file.write(block)
                    file.seek(0)
                    search_layer(layers, file, member.name)
                    if member.name == "manifest.json":
                        file.seek(0)
                        owners = list_owners(json.load(file))
        save.stdout.read()
    if save.returncode != 0:
        raise Unsearchable(f"docker save {shlex.join(images)} ended with status {save.returncode}")
    search.bytes += layers.bytes
    for name, where in layers.found:
        member = where.partition(": ")[0]
        search.found |= {(name, f"{image}: {where}") for image in owners.get(member, ["the saved images"])}


def list_owners(manifest: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the images that have a member of the archive, by its name; for an image without a tag, its configuration's."""
    owners: dict[str, list[str]] = {}
    for image in manifest:
        for member in (image["Config"], *image["Layers"]):
            owners.setdefault(member, []).extend(image["RepoTags"] or [image["Config"]])
    return owners


def search_layer(search: Search, file: IO[bytes], where: str) -> None:
    """Search one member of a saved image, packed or not; where it holds something, a layer is searched file by file."""
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    plain = gzip.GzipFile(fileobj=file) if packed else file
    if not search.holds_any(plain):
        return
    plain.seek(0)
    before = len(search.found)
    try:
        with tarfile.open(fileobj=plain, mode="r:") as layer:
            for member in layer:
                search.look_at_text(f"{member.name} {member.linkname}".encode(), f"{where}: a file's name")
                content = layer.extractfile(member) if member.isfile() else None
                if content is not None:
                    search.look(content, f"{where}: /{member.name}")
    except tarfile.ReadError:
        pass  # not a layer: searched as it is, below
    if len(search.found) == before:
        plain.seek(0)
        search.look(plain, where)


def search_container(search: Search, docker: list[str], container: str) -> None:
    """Search what a container said and the arguments of its programs; its environment is meant to hold secrets."""
    search.look_at_text(run([*docker, "logs", container]), f"{container}: docker logs")
    facts = json.loads(run([*docker, "inspect", container]))[0]
    facts["Config"].pop("Env", None)
    search.look_at_text(json.dumps(facts, ensure_ascii=False).encode(), f"{container}: docker inspect")


def list_files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (found for found in sorted(path.rglob("*")) if found.is_file() and not found.is_symlink())
    elif path.is_file():
        yield path
    else:
        raise Unsearchable(f"there is no file {path}")


def search_all(search: Search, options: argparse.Namespace) -> None:
    docker = shlex.split(options.docker)
    if options.image:
        search_images(search, docker, options.image)
    for container in options.container:
        search_container(search, docker, container)
    for path in options.file:
        for file in list_files(path):
            if not file.samefile(options.secrets):
                search.look_at_file(file, str(file))
    if options.processes:
        search.look_at_text(run(["ps", "-e", "-ww", "-o", "pid,args"]), "ps")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--secrets", type=Path, required=True)
    parser.add_argument("--image", action="append", default=[])
    parser.add_argument("--container", action="append", default=[])
    parser.add_argument("--file", type=Path, action="append", default=[])
    parser.add_argument("--processes", action="store_true")
    parser.add_argument(
        "--docker", default=os.environ.get("DOCKER", "docker"), help="for another engine: ssh HOST docker"
    )
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            search = Search(read_secrets(options.secrets), Path(folder))
            search_all(search, options)
    except (Unsearchable, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, where in sorted(search.found):
        print(f"{name} is in {where}")
    print(
        f"searched {search.bytes // 1_000_000} MB for {len(set(search.forms.values()))} values: {len(search.found)} finds"
    )
    return 1 if search.found else 0


if __name__ == "__main__":
    sys.exit(main())
