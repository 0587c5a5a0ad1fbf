"""Third-party files: bower.json names them, karma and the pages load those and no others, npm pins the same versions."""

import json
import re

from tests.sources import ROOT

BOWER = json.loads((ROOT / "bower.json").read_text())
NAMED = BOWER["dependencies"] | BOWER["devDependencies"]


def vendored(text):
    return set(re.findall(r"vendor/([a-z0-9-]+)/", text))


def test_karma_loads_the_packages_of_bower_and_no_others():
    assert vendored((ROOT / "karma.conf.js").read_text()) == set(NAMED)


def test_pages_load_the_packages_that_are_for_pages_and_no_others():
    templates = "".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))

    assert vendored(templates) == set(BOWER["dependencies"])


def test_bower_and_npm_name_the_same_versions():
    installed = json.loads((ROOT / "package.json").read_text())["devDependencies"]

    for name, source in NAMED.items():
        assert source == f"npm:{name}#{installed[name]}"


def test_the_lock_file_names_no_registry():
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()


def test_the_error_page_without_a_server_is_the_one_with_it():
    assert (ROOT / "static/errors/500.html").read_text() == (ROOT / "templates/500.html").read_text()
