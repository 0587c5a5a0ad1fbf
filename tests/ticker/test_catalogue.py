from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ticker.catalogue import forget_catalogue, get_catalogue, load_catalogue
from ticker.market import is_generated
from ticker.rates import RateUnavailable, get_rate


def statements():
    return CaptureQueriesContext(connection)


def test_loads_pairs_assets_and_rates_in_one_statement(exchange):
    exchange.run()

    with statements() as counted:
        catalogue = load_catalogue()
        pair = catalogue.pairs["ETHLTC"]
        assert (pair.base.scale, pair.quote.scale) == (18, 8)
        assert catalogue.rate("ETH", "LTC", exchange.at).sources

    assert len(counted) == 1


def test_is_read_from_memory_while_warm(exchange):
    exchange.run()
    get_catalogue()

    with statements() as counted:
        get_catalogue().rate("ETH", "LTC", exchange.at)
        is_generated()

    assert len(counted) == 0


def test_gives_the_same_rate_as_the_table(exchange):
    exchange.run()

    assert get_catalogue().rate("ETH", "LTC", exchange.at) == get_rate(base="ETH", quote="LTC", at=exchange.at)


def test_checks_the_age_of_a_rate_on_every_use(exchange):
    exchange.run()
    catalogue = get_catalogue()
    assert catalogue.rate("ETH", "LTC", exchange.at)

    with pytest.raises(RateUnavailable) as refused:
        catalogue.rate("ETH", "LTC", exchange.at + timedelta(seconds=61))

    assert refused.value.context["reason_code"] == "stale"


def test_forgets_when_this_process_records_a_round(exchange):
    assert not get_catalogue().standings

    exchange.run()

    assert get_catalogue().standings["LTC"].bid


def test_only_pairs_that_work_are_enabled(db):
    enabled = {name for name, pair in get_catalogue().pairs.items() if pair.enabled}

    assert enabled == {"ETHLTC", "LTCETH"}


def test_says_whether_prices_are_generated(exchange, settings):
    settings.TICKER_MARKET = "demo"
    exchange.run()
    assert is_generated()

    settings.TICKER_MARKET = "live"
    exchange.run()
    assert not is_generated()


def test_a_disabled_market_has_no_rate(exchange):
    exchange.run()
    exchange.state().market.__class__.objects.filter(code="LTC-USD").update(enabled=False)
    forget_catalogue()

    with pytest.raises(RateUnavailable) as refused:
        get_catalogue().rate("ETH", "LTC", exchange.at)

    assert refused.value.context == {**refused.value.context, "reason_code": "no_market", "market": "LTC-USD"}
