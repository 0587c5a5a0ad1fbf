from datetime import timedelta

from tests.adapters.market_replay import RECORDED_AT as AT
from ticker.models import MarketRate, Observation, Round
from ticker.prune import prune_prices


def add_rate(at):
    MarketRate.objects.create(market_id="LTC-USD", at=at, bid=80, ask=81, sources=["a"])


def test_removes_rounds_and_observations_past_their_hours(exchange):
    exchange.run()

    assert prune_prices(at=exchange.at + timedelta(hours=24))["observations"] == 0
    gone = prune_prices(at=exchange.at + timedelta(hours=24, seconds=1))

    assert (gone["observations"], gone["rounds"]) == (15, 1)
    assert not Observation.objects.exists()
    assert not Round.objects.exists()


def test_thins_old_rates_to_one_in_five_minutes_and_leaves_new_ones(db):
    for minute in range(20):
        add_rate(AT + timedelta(minutes=minute))
        add_rate(AT + timedelta(hours=30, minutes=minute))

    gone = prune_prices(at=AT + timedelta(hours=31))

    # AT is six seconds after the hour, so the twenty old minutes fill four bins.
    assert gone["rates"] == 16
    assert MarketRate.objects.filter(at__gt=AT + timedelta(hours=29)).count() == 20


def test_a_second_pruning_removes_nothing_more(db):
    for minute in range(20):
        add_rate(AT + timedelta(minutes=minute))

    prune_prices(at=AT + timedelta(hours=31))

    assert prune_prices(at=AT + timedelta(hours=31)) == {"observations": 0, "rounds": 0, "rates": 0}


def test_rates_end_after_months(db):
    add_rate(AT)

    assert prune_prices(at=AT + timedelta(days=90))["rates"] == 0
    assert prune_prices(at=AT + timedelta(days=90, seconds=1))["rates"] == 1
