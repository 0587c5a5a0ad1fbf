"""What nginx.conf says in the app's place is what the app would have said. Needs no engine."""

import re

import pytest
from django.conf import settings
from django.utils import translation

from api.errors import error_body
from tests.delivery.compose import ROOT

TEXT = (ROOT / "nginx.conf").read_text(encoding="utf-8")


@pytest.mark.parametrize(("variable", "status"), [("too_large", 413), ("too_many", 429), ("busy", 503)])
def test_errors_of_the_api_are_those_of_the_app_in_both_languages(variable, status):
    words = re.search(rf'map \$russian \${variable} {{ 0 "(.*?)"; 1 "(.*?)"; }}', TEXT)
    code = re.search(rf'return {status} \'{{"detail":"\${variable}","code":"(\w+)"}}\'', TEXT)

    for language, said in zip(("en", "ru"), words.groups(), strict=True):
        with translation.override(language):
            assert {"detail": said, "code": code[1]} == error_body(status)


def test_promises_browsers_the_same_about_tls_as_the_settings_of_a_server_do():
    chosen = (ROOT / "nexchange" / "settings_prod.py").read_text(encoding="utf-8")
    seconds = re.search(r"^SECURE_HSTS_SECONDS = (\d+)$", chosen, re.MULTILINE)[1]

    assert f'"max-age={seconds}; includeSubDomains"' in TEXT
    assert "SECURE_HSTS_PRELOAD = True" not in chosen


def test_takes_no_smaller_body_than_the_app_which_answers_for_itself():
    kilobytes = int(re.search(r"client_max_body_size (\d+)k;", TEXT)[1])

    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE < kilobytes * 1024 <= 4 * settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def test_names_no_host():
    assert set(re.findall(r"^\s*server_name (.*);$", TEXT, re.MULTILINE)) == {"_"}
    assert not re.search(r"\b[a-z0-9-]+\.(com|net|org|io|ru|example)\b", TEXT)
