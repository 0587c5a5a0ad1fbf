"""Static files of all living releases stay where nginx serves them; newer media are never overwritten."""

import os
import subprocess
import time

import pytest

from tests.sources import ROOT

HOUR = 3600


def run(*arguments):
    return subprocess.run(
        [ROOT / "bin/static-files", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=30
    )


class Release:
    """What one image brings: a folder of static files and one of media."""

    def __init__(self, folder, **files):
        self.static, self.media = folder / "static", folder / "media"
        self.static.mkdir(parents=True)
        self.media.mkdir()
        for name, text in files.items():
            (self.static / name.replace("_", ".")).write_text(text)

    def publish(self, html):
        done = run("publish", self.static, self.media, html)
        assert done.returncode == 0, done.stderr
        return html / ".releases" / done.stdout.strip().rsplit("/", 1)[1]

    def prune(self, html, hours):
        done = run("prune", self.static, html, hours)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def html(tmp_path):
    return tmp_path / "html"


def age(path, hours):
    at = time.time() - hours * HOUR  # noqa: TID251 -- the age of a file is by the machine's clock
    os.utime(path, (at, at))


def test_a_new_release_leaves_the_files_of_the_old_one(tmp_path, html):
    Release(tmp_path / "1", a_1_js="one", plain_css="old").publish(html)
    Release(tmp_path / "2", a_2_js="two", plain_css="newer").publish(html)

    served = html / "static"
    assert sorted(path.name for path in served.iterdir()) == ["a.1.js", "a.2.js", "plain.css"]
    assert (served / "plain.css").read_text() == "newer"


def test_what_is_the_same_is_not_written_again(tmp_path, html):
    release = Release(tmp_path / "1", a_1_js="one")
    release.publish(html)
    before = (html / "static/a.1.js").stat().st_ino

    release.publish(html)

    assert (html / "static/a.1.js").stat().st_ino == before


def test_media_are_replaced_by_newer_ones_alone(tmp_path, html):
    release = Release(tmp_path / "1")
    (release.media / "logo.png").write_text("seed")
    release.publish(html)
    (html / "media/logo.png").write_text("uploaded")

    release.publish(html)
    assert (html / "media/logo.png").read_text() == "uploaded"

    age(release.media / "logo.png", -1)
    release.publish(html)
    assert (html / "media/logo.png").read_text() == "seed"


def test_prune_removes_what_only_dead_releases_list(tmp_path, html):
    old = Release(tmp_path / "1", a_1_js="one", both_js="x").publish(html)
    new = Release(tmp_path / "2", a_2_js="two", both_js="x")
    new.publish(html)
    (html / "static/somebody-elses.txt").write_text("stays")

    age(old, 23)
    assert new.prune(html, 24) == ""

    age(old, 25)
    assert new.prune(html, 24) == "removed static/a.1.js\n"
    assert sorted(path.name for path in (html / "static").iterdir()) == ["a.2.js", "both.js", "somebody-elses.txt"]
    assert not old.exists()


def test_prune_never_removes_the_files_of_its_own_release(tmp_path, html):
    release = Release(tmp_path / "1", a_1_js="one")
    age(release.publish(html), 1000)

    assert release.prune(html, 0) == ""
    assert (html / "static/a.1.js").exists()


def test_no_reader_ever_sees_a_part_of_a_file(tmp_path, html):
    release = Release(tmp_path / "1", a_js="x" * 5_000_000)
    release.publish(html)
    (release.static / "a.js").write_text("y" * 6_000_000)

    publishing = subprocess.Popen([ROOT / "bin/static-files", "publish", release.static, release.media, html])
    seen = set()
    while publishing.poll() is None:
        seen.add((html / "static/a.js").read_text())
    publishing.wait()

    assert {(text[0], len(text)) for text in seen} <= {("x", 5_000_000), ("y", 6_000_000)}
    assert (html / "static/a.js").read_text()[0] == "y"


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(tmp_path):
    release = Release(tmp_path / "1", a_js="x")
    (tmp_path / "html").write_text("not a folder")

    done = run("publish", release.static, release.media, tmp_path / "html")

    assert done.returncode == 1
    assert "chown" in done.stderr
    assert "Traceback" not in done.stderr
