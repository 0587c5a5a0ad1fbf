import pytest
from django.conf import settings as project_settings

from ticker.checks import check_ticker_settings


def ids(settings, mode, market, urls=None):
    settings.SITE_MODE, settings.TICKER_MARKET = mode, market
    if urls is not None:
        settings.TICKER_BASE_URLS = urls
    return [found.id for found in check_ticker_settings()]


@pytest.mark.parametrize("market", ["live", "demo", "auto"])
def test_a_demo_may_use_every_market(settings, market):
    assert ids(settings, "demo", market) == []


@pytest.mark.parametrize(("market", "found"), [("live", []), ("demo", ["ticker.E002"]), ("auto", ["ticker.E002"])])
def test_a_live_site_refuses_generated_prices(settings, market, found):
    urls = {name: f"https://{name}.example" for name in project_settings.TICKER_BASE_URLS}

    assert ids(settings, "live", market, urls) == found


def test_refuses_an_unknown_market(settings):
    assert ids(settings, "demo", "dmeo") == ["ticker.E001"]


def test_a_live_site_asks_only_over_tls(settings):
    assert ids(settings, "live", "live", {"kraken": "http://kraken.example"}) == ["ticker.E003"]
    assert ids(settings, "demo", "live", {"kraken": "http://kraken.example"}) == []


def test_refuses_a_venue_that_has_no_module(settings):
    assert ids(settings, "demo", "live", {"krakn": "https://kraken.example"}) == ["ticker.E004"]
