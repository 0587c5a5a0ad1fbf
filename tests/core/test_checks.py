"""A live site refuses the demo's parts when it starts."""

import pytest

from core.checks import check_server, check_site_mode


def ids(found):
    return [message.id for message in found]


@pytest.fixture
def live(settings):
    settings.SITE_MODE, settings.TICKER_MARKET, settings.DEBUG = "live", "live", False
    settings.APP_DB_PASSWORD, settings.REFUSED_SECRETS = "long", ("published",)
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "demo"]
    return settings


def test_accepts_a_complete_live_site(live):
    assert check_site_mode() == []


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("INSTALLED_APPS", ["demo"], "core.E002"),
        ("TICKER_MARKET", "auto", "core.E003"),
        ("DEBUG", True, "core.E004"),
        ("DB_PASSWORD", "", "core.E005"),
        ("SITE_MODE", "prod", "core.E001"),
        ("REFUSED_SECRETS", (), "core.E006"),  # settings_dev, whose secrets everybody can read
    ],
)
def test_refuses_a_live_site_with_one_thing_wrong(live, name, value, code):
    setattr(live, name, value)

    assert ids(check_site_mode()) == [code]


def test_lets_a_demo_be_one(settings):
    settings.SITE_MODE, settings.TICKER_MARKET = "demo", "demo"

    assert check_site_mode() == []


GOOD = "0123456789abcdef" * 2


@pytest.fixture
def server(live):
    live.SECRET_KEY, live.TOKEN_KEY, live.QUOTE_KEY = GOOD, GOOD[::-1], ""
    live.ALLOWED_HOSTS = ["site.example"]
    return live


@pytest.mark.parametrize(
    ("name", "value", "codes"),
    [
        ("SECRET_KEY", GOOD, []),
        ("SECRET_KEY", GOOD[:-1], ["core.E007"]),
        ("SECRET_KEY", "a", ["core.E007"]),
        ("SECRET_KEY", "01234567" * 4, []),
        ("SECRET_KEY", "0123456" * 5, ["core.E007"]),
        ("TOKEN_KEY", GOOD[::-1][:-1], ["core.E007"]),
        ("TOKEN_KEY", GOOD, ["core.E008"]),
        ("QUOTE_KEY", "short", ["core.E007"]),
        ("QUOTE_KEY", GOOD, ["core.E008"]),
        ("QUOTE_KEY", "fedcba98" * 4, []),
        ("ALLOWED_HOSTS", ["*"], ["core.E009"]),
        ("ALLOWED_HOSTS", ["site.example", "*.example"], ["core.E009"]),
        ("ALLOWED_HOSTS", [], ["core.E009"]),
    ],
)
@pytest.mark.parametrize("mode", ["live", "demo"])
def test_a_server_has_keys_that_nobody_guesses_and_names_of_its_own(server, mode, name, value, codes):
    server.SITE_MODE = mode
    setattr(server, name, value)

    found = check_server()

    assert ids(found) == codes
    assert all(message.hint for message in found)
    assert not any(value in message.msg for message in found if name.endswith("KEY") and len(value) > 1)


def test_a_machine_that_is_no_server_may_have_short_keys(settings):
    settings.SECRET_KEY, settings.REFUSED_SECRETS = "a", ()

    assert check_server() == []
