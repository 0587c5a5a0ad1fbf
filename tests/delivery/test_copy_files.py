"""The folder that becomes the production image holds what the site needs to run and nothing else."""

import os
import subprocess

import pytest
from django.conf import settings

from tests.sources import ROOT

# Everything tracked at the top that stays out of the image. What is in neither list makes a test fail: decide.
LEFT_OUT = {
    ".bowerrc", ".ci", ".dockerignore", ".github", ".gitignore", ".npmrc", ".pre-commit.sh", ".wercker", ".werckerignore",
    "ENVIRONMENT", "Procfile", "README.md", "bench", "bin", "bower.json", "docker", "docker-compose.yml", "docs",
    "karma.conf.js", "media", "nginx.conf", "package-lock.json", "package.json", "pyproject.toml", "readme_wercker.md",
    "requirements-dev.in", "requirements-dev.txt", "requirements.in", "static", "targets", "tests", "wercker.yml",
}  # fmt: skip


def gather(target, static, **variables):
    return subprocess.run(
        [ROOT / "bin/steps/copy-files", *target],
        cwd=ROOT,
        env={**os.environ, "STATIC_ROOT": str(static), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def static(tmp_path_factory):
    folder = tmp_path_factory.mktemp("static")
    (folder / "staticfiles.json").write_text("{}")
    (folder / "site.0123.css").write_text("body {}")
    return folder


@pytest.fixture(scope="module")
def image(static, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gathered") / "image"
    done = gather([folder], static)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_app_and_what_it_reads_at_run_time_is_there(image):
    ours = {app for app in settings.INSTALLED_APPS if (ROOT / app).is_dir()}

    for name in ours | {"nexchange", "demo"}:
        assert (image / name / "__init__.py").exists(), name
    for name in ("manage.py", "entrypoint.sh", "LICENSE", "requirements.txt", "Dockerfile", "templates/base.html"):
        assert (image / name).exists(), name
    assert (image / "staticfiles/site.0123.css").exists()
    assert (image / "locale/ru/LC_MESSAGES/django.mo").exists()
    assert sorted(path.name for path in (image / "bin").iterdir()) == ["static-files", "worker"]


def test_nothing_tracked_is_forgotten(image):
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    at_the_top = {line.split("/")[0] for line in tracked.splitlines()}

    assert at_the_top - LEFT_OUT == at_the_top & {path.name for path in image.iterdir()} - {"bin", "static", "media"}


def test_no_secret_no_test_and_no_history_is_in_it(image):
    published = "development-only-app"
    names = {path.name for path in image.rglob("*")}

    assert not names & {"ENVIRONMENT", ".git", "tests", "__pycache__", ".venv", "node_modules", "var", "keys.json"}
    holding = [path for path in image.rglob("*") if path.is_file() and published.encode() in path.read_bytes()]
    assert [path.name for path in holding] == ["settings_prod.py"]  # which lists what it refuses


def test_a_second_gathering_leaves_nothing_of_the_first(static, tmp_path):
    target = tmp_path / "image"
    gather([target], static)
    (target / "left-behind").touch()

    gather([target], static)

    assert not (target / "left-behind").exists()


def test_a_pipeline_finds_it_in_its_output(static, tmp_path):
    done = gather([], static, WERCKER_OUTPUT_DIR=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "image/manage.py").exists()


def test_static_files_that_nobody_collected_are_missed(tmp_path):
    done = gather([tmp_path / "image"], tmp_path)

    assert done.returncode == 1
    assert "collectstatic" in done.stderr
    assert not (tmp_path / "image").exists()


def test_the_source_itself_is_never_the_target(static):
    done = gather([ROOT], static)

    assert done.returncode == 1
    assert (ROOT / "manage.py").exists()
