"""Values of variables are taken as they stand."""

import os
import subprocess
import sys

import pytest

from core.environment import Environment
from tests.sources import ROOT

AS_IT_IS = ["$ecret", "$HOME", "$$", "$", "pa$$", "#1 'x' \"y\"", " \\$", "%s {} `id`"]


@pytest.mark.parametrize("value", AS_IT_IS)
def test_a_value_is_what_it_is(monkeypatch, value):
    monkeypatch.setenv("APP_DB_PASSWORD", value)
    monkeypatch.setenv("ecret", "somebody else's")

    assert Environment().str("APP_DB_PASSWORD", default="") == value


def test_a_value_from_a_file_is_what_it_is(monkeypatch, tmp_path):
    for number, value in enumerate(AS_IT_IS):  # each under a name of its own: what a file held is remembered
        (tmp_path / f"{number}").write_text(value)
        monkeypatch.setenv(f"SECRET_{number}_FILE", str(tmp_path / f"{number}"))

        assert Environment().str(f"SECRET_{number}", default="") == value


def test_the_sites_settings_take_what_they_are_given():
    script = (
        "from nexchange import settings as s; "
        "print(s.CSRF_TRUSTED_ORIGINS, s.PROMISED_SHARE_PERCENT, s.SECRET_KEY, s.DATABASES['default']['PASSWORD'])"
    )
    given = {
        "CSRF_TRUSTED_ORIGINS": "https://a.example,https://b.example:8443",
        "PROMISED_SHARE_PERCENT": "37",
        "SECRET_KEY": "$ecret",
        "APP_DB_PASSWORD": "$HOME",
    }

    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | given, cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == "['https://a.example', 'https://b.example:8443'] 37 $ecret $HOME\n"


def test_lists_and_numbers_are_read_as_before(monkeypatch):
    monkeypatch.setenv("NAMES", "$a,b")
    monkeypatch.setenv("COUNT", "$7")

    assert Environment().list("NAMES") == ["$a", "b"]
    with pytest.raises(ValueError, match="7"):
        Environment().int("COUNT")


def test_a_database_url_may_hold_one_too():
    assert Environment.db_url_config("postgis://owner:$ecret@far/books")["PASSWORD"] == "$ecret"
