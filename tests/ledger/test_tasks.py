import pytest

from ledger.models import Checkpoint
from ledger.post import post_entry
from ledger.tasks import checkpoint_balances
from nexchange.celery import app
from tests.ledger.books import fund, ltc

pytestmark = pytest.mark.django_db


def test_the_tick_sums_the_house_accounts():
    post_entry(fund("f", ltc(5)))

    checkpoint_balances()

    assert list(Checkpoint.objects.values_list("account__kind", "amount_minor")) == [("capital", ltc(-5).minor)]


def test_the_tick_is_in_the_timetable_and_is_not_kept_for_days():
    (tick,) = (each for each in app.conf.beat_schedule.values() if each["task"] == "ledger.tasks.checkpoint_balances")

    assert tick["options"]["expires"] <= tick["schedule"]
    assert app.tasks[tick["task"]].run is checkpoint_balances.run  # what no worker knows is never done
