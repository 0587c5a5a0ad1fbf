"""Which files of the tree stay outside a build: .werckerignore, in Git's pattern language (no character classes)."""

import io
import re
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wercker.failures import RunnerFailure

ALWAYS = ("/.wercker/",)


class Ignored:
    """The patterns of one .werckerignore; the last one that matches decides."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._rules: list[tuple[re.Pattern[str], bool, bool]] = []
        for line in (*lines, *ALWAYS):
            pattern = line.strip()
            if not pattern or pattern.startswith("#"):
                continue
            kept = pattern.startswith("!")
            pattern = pattern.removeprefix("!")
            self._rules.append((_compile(pattern.rstrip("/")), pattern.endswith("/"), kept))

    def covers(self, name: str, *, is_folder: bool) -> bool:
        """Say whether this path, from the tree's root, stays outside."""
        outside = False
        for pattern, folders_only, kept in self._rules:
            if (is_folder or not folders_only) and pattern.fullmatch(name):
                outside = not kept
        return outside


def read_ignored(tree: Path) -> Ignored:
    """Read the tree's .werckerignore, if it has one. Raises: RunnerFailure when it cannot be read."""
    file = tree / ".werckerignore"
    with _explained(file):
        try:
            return Ignored(file.read_text(encoding="utf-8").splitlines() if file.is_file() else ())
        except UnicodeDecodeError as error:
            raise RunnerFailure(f"{file} is not UTF-8 text.", "Save it as UTF-8.") from error


def pack(tree: Path, *, into: io.BufferedIOBase, folder: str) -> int:
    """Write the tree as a tar archive below `folder`, owned by root; return how many files it holds.

    Raises: RunnerFailure naming what cannot be read, BrokenPipeError when nobody takes the archive.
    """
    ignored, count = read_ignored(tree), 0
    with tarfile.open(fileobj=into, mode="w|") as archive:
        waiting = [tree]
        while waiting:
            inside = waiting.pop()
            with _explained(inside):
                paths = sorted(inside.iterdir())
            for path in paths:
                with _explained(path):
                    name = path.relative_to(tree).as_posix()
                    is_folder = path.is_dir() and not path.is_symlink()
                    if ignored.covers(name, is_folder=is_folder) or path.is_socket() or path.is_fifo():
                        continue
                    count += _add(path, f"{folder}/{name}", archive)
                if is_folder:
                    waiting.append(path)
    return count


def _add(path: Path, name: str, archive: tarfile.TarFile) -> int:
    """Add one path as root's; return 1 for a file."""
    member = archive.gettarinfo(path, arcname=name)
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    if not member.isreg():
        archive.addfile(member)
        return 0
    with path.open("rb") as content:
        archive.addfile(member, content)
    return 1


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # the archive's reader, not the path
        raise
    except FileNotFoundError as error:
        remedy = "Something writes into the tree: run again when it is done, or name what it writes in .werckerignore."
        raise RunnerFailure(f"{path} was there and is gone.", remedy) from error
    except OSError as error:
        remedy = f"Let your user read it (ls -ld {path}), or name it in .werckerignore."
        raise RunnerFailure(f"{path} cannot be read: {error.strerror or error}.", remedy) from error


def _compile(pattern: str) -> re.Pattern[str]:
    # A pattern with a slash inside begins at the root, another one matches at any depth.
    anchored = "/" in pattern
    parts = re.split(r"(\*\*/|/\*\*|\*|\?)", pattern.lstrip("/"))
    meaning = {"**/": "(?:.*/)?", "/**": "/.*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(meaning.get(part, re.escape(part)) for part in parts)
    return re.compile(body if anchored else f"(?:.*/)?{body}")
