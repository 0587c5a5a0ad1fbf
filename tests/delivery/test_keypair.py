"""`bin/keypair`: the private half into the target's file, the public one to the terminal, and nothing by halves."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sources import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for part in ("bin/lib", "targets"):
        (tmp_path / part).mkdir(parents=True)
    shutil.copy(ROOT / "bin/keypair", tmp_path / "bin/keypair")
    shutil.copy(ROOT / "bin/lib/steps.sh", tmp_path / "bin/lib/steps.sh")
    return tmp_path


def target_file(checkout: Path, text: str = "X_SSH_USER=wercker\nXXX_PEM_FILE_CONTENT=\n", mode: int = 0o600) -> Path:
    file = checkout / "targets" / "one.env"
    file.write_text(text)
    file.chmod(mode)
    return file


def keypair(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([checkout / "bin/keypair", *arguments], capture_output=True, text=True, check=False)


def test_the_two_halves_belong_together(checkout, tmp_path):
    file = target_file(checkout)

    made = keypair(checkout, "one")

    lines = dict(line.split("=", 1) for line in file.read_text().splitlines())
    key = tmp_path / "key"
    key.write_text(lines["XXX_PEM_FILE_CONTENT"].replace("\\n", "\n"))
    key.chmod(0o600)
    public = subprocess.run(["ssh-keygen", "-y", "-f", key], capture_output=True, text=True, check=True).stdout
    assert made.stdout.split()[:2] == public.split()[:2]
    assert lines["X_SSH_USER"] == "wercker"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_there_is_kept_unless_another_is_asked_for(checkout):
    file = target_file(checkout)
    made = keypair(checkout, "one")
    before = file.read_text()

    again = keypair(checkout, "one")

    assert again.returncode == 0, again.stderr
    assert again.stdout.split()[:2] == made.stdout.split()[:2]
    assert "keeps its key" in again.stderr
    assert file.read_text() == before
    assert keypair(checkout, "one", "--replace").returncode == 0
    assert file.read_text() != before
    assert file.read_text().count("PEM_FILE_CONTENT=") == 1


@pytest.mark.parametrize("end", ['"', "'", '"  ', "'\r"])
def test_a_key_in_quotes_is_read_as_the_runner_reads_it(checkout, end):
    file = target_file(checkout)
    made = keypair(checkout, "one")
    name, _, value = file.read_text().splitlines()[-1].partition("=")
    file.write_text(f"{name}={end[0]}{value}{end}\n")

    again = keypair(checkout, "one")

    assert again.returncode == 0, again.stderr
    assert again.stdout.split()[:2] == made.stdout.split()[:2]


def test_empty_quotes_are_no_key(checkout):
    file = target_file(checkout, 'XXX_PEM_FILE_CONTENT=""\n')

    assert keypair(checkout, "one").returncode == 0
    assert file.read_text().count("PEM_FILE_CONTENT=") == 1


@pytest.mark.parametrize(
    ("arguments", "mode", "said"),
    [
        (["two"], 0o600, "there is no targets/two.env"),
        (["../one"], 0o600, "cannot be the name of a target"),
        ([], 0o600, "cannot be the name of a target"),
        (["one"], 0o644, "others may read it"),
        (["one", "--force"], 0o600, "no such option"),
    ],
)
def test_refuses_in_plain_words(checkout, arguments, mode, said):
    file = target_file(checkout, mode=mode)
    before = file.read_text()

    refused = keypair(checkout, *arguments)

    assert refused.returncode == 1
    assert said in refused.stderr
    assert file.read_text() == before
