"""A live site refuses the demo's parts when it starts."""

import pytest

from core.checks import check_site_mode


def ids(found):
    return [message.id for message in found]


@pytest.fixture
def live(settings):
    settings.SITE_MODE, settings.TICKER_MARKET, settings.DEBUG = "live", "live", False
    settings.APP_DB_PASSWORD = "long"
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
        ("APP_DB_PASSWORD", "", "core.E005"),
        ("SITE_MODE", "prod", "core.E001"),
    ],
)
def test_refuses_a_live_site_with_one_thing_wrong(live, name, value, code):
    setattr(live, name, value)

    assert ids(check_site_mode()) == [code]


def test_lets_a_demo_be_one(settings):
    settings.SITE_MODE, settings.TICKER_MARKET = "demo", "demo"

    assert check_site_mode() == []
