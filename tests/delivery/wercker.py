"""What the tests of bin/wercker share: its modules, and projects of one small wercker.yml to run it on."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "bin" / "wercker"
BOX = os.environ.get("BASE_IMAGE") or "debian:bookworm-slim"
# A Docker client without an engine: it takes notes, runs here what is meant for the box, and keeps the box's /pipeline in
# a folder. What belongs to the programs of a step is real: signals, traps, owners of files.
FAKE_DOCKER = r"""#!/usr/bin/env bash
printf '%s\n' "$*" >>"$BOX_FOLDER/notes"
if [[ " $FAILING " == *" $1 "* ]]; then
    echo "the engine refuses" >&2
    exit 1
fi
case $1 in
    create) mkdir -p "$BOX_FOLDER"/pipeline/{source,output,cache,steps} ;;
    cp) tar -x --no-same-owner -C "$BOX_FOLDER/pipeline" ;;
    build)
        cat >/dev/null
        while (($# > 0)); do
            if [[ $1 == --iidfile ]]; then printf 'sha256:built-here' >"$2"; fi
            shift
        done
        ;;
    exec)
        while shift && [[ $1 == -* ]]; do
            case $1 in
                --user) shift ;;
                -i) given=yes ;;
            esac
        done
        shift
        inside=("${@//\/pipeline/$BOX_FOLDER/pipeline}")
        if [[ -n ${given:-} ]]; then exec "${inside[@]}" < <(exec sed -u "s#/pipeline#$BOX_FOLDER/pipeline#g"); fi
        exec "${inside[@]}" </dev/null
        ;;
esac
"""


class FakeBox:
    """The folder of a box without an engine, and what docker was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pipeline = folder / "pipeline"
        folder.mkdir()
        program = folder / "docker"
        program.write_text(FAKE_DOCKER)
        program.chmod(0o755)
        self.variables = {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "BOX_FOLDER": str(folder),
            "FAILING": "",
            "DOCKER_HOST": "",
        }

    def notes(self) -> list[str]:
        return (self.folder / "notes").read_text().splitlines()


class Project:
    """A folder with a wercker.yml, in which bin/wercker is run as a person would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def environment(self, **variables: str) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("X_", "XXX_", "WERCKER", "CI"))
        }
        return {**kept, **variables}

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment(**variables),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
