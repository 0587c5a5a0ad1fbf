"""Every text has its Russian, and nobody can forget one."""

import re
import shutil
import subprocess
import sys

from django.utils.translation import override

from orders.states import FACES
from tests.sources import ROOT
from website import wording

CATALOGUE = ROOT / "locale/ru/LC_MESSAGES/django.po"


def entries(text):
    """Yield each message of a catalogue as {keyword: text}, with its comments under "#"."""
    for block in text.split("\n\n"):
        entry, keyword = {"#": ""}, ""
        for line in block.splitlines():
            if line.startswith("#"):
                entry["#"] += line
                continue
            named = re.match(r'(msgid|msgstr)(?:\[\d\])? "(.*)"$', line)
            if named:
                keyword = named[1]
                entry[keyword] = entry.get(keyword, "") + named[2]
            elif line.startswith('"'):
                entry[keyword] += line[1:-1]
        if entry.get("msgid"):
            yield entry


def test_russian_is_complete_and_sure():
    wrong = [e["msgid"] for e in entries(CATALOGUE.read_text(encoding="utf-8")) if not e["msgstr"] or "fuzzy" in e["#"]]

    assert wrong == []


def test_the_catalogue_knows_every_text_of_the_product(tmp_path):
    for name in ("accounts", "api", "core", "demo", "ledger", "orders", "templates", "ticker", "wallets", "website"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "locale").mkdir()
    subprocess.run(
        [sys.executable, "-m", "django", "makemessages", "-l", "ru", "--no-location", "-e", "html,py"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", "DJANGO_SETTINGS_MODULE": ""},
    )
    found = {e["msgid"] for e in entries((tmp_path / "locale/ru/LC_MESSAGES/django.po").read_text(encoding="utf-8"))}
    known = {e["msgid"] for e in entries(CATALOGUE.read_text(encoding="utf-8"))}

    assert found - known == set()
    assert known - found == set()


def test_states_are_translated_for_display_only():
    with override("ru"):
        assert str(FACES["AWAITING_DEPOSIT"].label) == "Ждём платёж"


def test_every_state_has_words():
    assert set(wording._BY_STATE) == set(FACES)
