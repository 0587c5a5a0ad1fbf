"""What a signer would keep for a person is not sold: each ceiling at the edge, one unit below, one above."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings

from core import clock
from core.assets import get_asset
from core.errors import DomainError
from core.heartbeat import begin_replacement
from core.money import Money
from core.snapshot import forget_all
from ledger.post import Leg, NewEntry, post_entry
from orders.facts import Ceilings, Side, read_facts
from orders.offer import find_pair, get_offer, is_sold, room_of
from orders.open import open_order
from orders.pauses import Reason, find_pauses
from orders.quotes import make_quote
from orders.standing import tell_health
from tests.beats import FAR, set_room
from tests.orders.conftest import NOW
from wallets.models import Payout, SignerRoom
from wallets.signer import journal
from wallets.signer.room import publish_room, tell_room

pytestmark = pytest.mark.usefixtures("site")
ETH = 10**18


def eth_side(**changes: Any) -> Side:
    return replace(read_facts().sides["ETH"], **changes)


def ceilings(**changes: Any) -> Ceilings:
    return replace(Ceilings(payout=FAR, hour_left=FAR, day_left=FAR, funded_left={"litecoin": FAR}, asked=0), **changes)


# what the signer said, what is promised already, and the most that one more order may be promised, fee cap included
LEFT = [
    ({}, 0, FAR),
    ({"payout": 5}, 0, 5),
    ({"payout": 5}, 10, 5),  # one payment's ceiling is each payment's own
    ({"hour_left": 7}, 0, 7),
    ({"hour_left": 7}, 2, 5),
    ({"hour_left": 7, "asked": 3}, 2, 2),
    ({"hour_left": 7, "asked": 7}, 0, 0),
    ({"hour_left": 7, "asked": 8}, 0, 0),
    ({"day_left": 6, "hour_left": 7}, 0, 6),
    ({"funded_left": {"litecoin": 4, "dogecoin": 1}}, 0, 4),
    ({"funded_left": {"litecoin": 4, "dogecoin": 1}}, 3, 1),
    ({"funded_left": {"dogecoin": 1}}, 0, 0),  # nothing was said about the network that is paid in
]


@pytest.mark.parametrize(("said", "promised", "most"), LEFT)
def test_what_may_be_signed_for_one_more_order(said: dict[str, Any], promised: int, most: int) -> None:
    side = eth_side(free=1000 * ETH, unfunded=0, promised=promised, ceilings=ceilings(**said))
    room = room_of(find_pair("ETHLTC"), side)
    assert room.signable == max(min(most, FAR - promised), 0)


@pytest.mark.parametrize("name", ["payout", "hour_left", "day_left", "funded_left"])
def test_an_order_at_the_ceiling_is_sold_and_one_unit_more_is_not(name: str) -> None:
    cap = get_offer("ETHLTC", at=NOW).terms.fee_cap.minor
    most = 10 * ETH
    # The promise's share and what is kept for small orders bind elsewhere: here the ceiling alone is to.
    minor = most + cap
    said = ceilings(**{name: {"litecoin": minor} if name == "funded_left" else minor})
    room = replace(room_of(find_pair("ETHLTC"), eth_side(ceilings=said)), large=FAR, small=FAR)

    assert room.most_get == most
    room.refuse(most)
    with pytest.raises(DomainError) as refusal:
        room.refuse(most + 1)
    assert refusal.value.code == "ceiling_reached"
    assert "10" in str(refusal.value)


def test_unpaid_orders_hold_a_share_of_what_may_be_signed_as_of_the_coins() -> None:
    """Else a few of them would use up an hour's ceiling and close the pair."""
    side = eth_side(free=1000 * ETH, unfunded=0, promised=0, ceilings=ceilings(hour_left=100 * ETH))
    room = room_of(replace_cap("ETHLTC"), side)
    assert (room.small, room.large) == (50 * ETH, 40 * ETH)
    held = replace(side, unfunded=30 * ETH, promised=30 * ETH, free=970 * ETH)
    assert room_of(replace_cap("ETHLTC"), held).large == 10 * ETH


def replace_cap(name: str) -> Any:
    pair = find_pair(name)
    pair.unfunded_cap_minor = None
    return pair


def causes(pair: str) -> list[str]:
    forget_all()
    return [str(pause.reason) for pause in find_pauses(find_pair(pair), read_facts(), at=NOW)]


@pytest.mark.parametrize(("above", "closed"), [(0, []), (-1, ["ceiling_reached"])])
def test_less_than_the_least_order_pauses_the_pair_and_says_so(above: int, closed: list[str]) -> None:
    cap = get_offer("ETHLTC", at=NOW).terms.fee_cap.minor
    least = max(get_asset("ETH").minimum_minor, get_asset("ETH").quote_step)
    set_room("ethereum", funded_left={"litecoin": least + cap + above})
    assert causes("ETHLTC") == closed
    assert causes("LTCETH") == []


def test_the_largest_amount_on_offer_can_be_opened_and_not_one_step_more() -> None:
    set_room("ethereum", funded_left={"litecoin": 2 * ETH}, hour=3 * ETH)
    forget_all()
    limits = get_offer("ETHLTC", at=NOW).limits
    assert ETH // 2 < limits.max_get.minor < ETH
    quote = make_quote(pair="ETHLTC", get=limits.max_get.format(), at=NOW)
    assert open_order(quote=quote, payout_address="", at=NOW).order
    # Its promise counts: what was left was a part of two, and less is now.
    forget_all()
    assert get_offer("ETHLTC", at=NOW).limits.max_get < limits.max_get


def test_a_quote_made_before_the_ceiling_is_refused_for_the_ceiling() -> None:
    quote = make_quote(pair="ETHLTC", get="1", at=NOW)
    set_room("ethereum", funded_left={"litecoin": FAR}, payout=ETH)  # the payment alone, without its fee cap
    forget_all()  # a second later
    with pytest.raises(DomainError) as refusal:
        open_order(quote=quote, payout_address="", at=NOW)
    assert refusal.value.code == "ceiling_reached"


# state, problem, reserved against a ceiling of one payout of 10, and what of it counts
ASKED = [
    ("REQUESTED", "", 10, 10),
    ("REQUESTED", "ceiling: an hour", 9, 9),
    ("REQUESTED", "ceiling: one payout", 11, 0),  # goes once a person approved it, and counts in no span then
    ("REQUESTED", "above_price: too dear", 9, 0),
    ("SIGNED", "", 9, 0),  # the journal counts it
    ("REJECTED", "", 9, 0),
]


@pytest.mark.parametrize(("state", "problem", "minor", "counts"), ASKED)
def test_what_waits_for_its_signature_counts(state: str, problem: str, minor: int, counts: int) -> None:
    set_room("ethereum", funded_left={"litecoin": FAR}, payout=10)
    Payout.objects.create(
        purpose="test",
        chain="ethereum",
        asset_id="ETH",
        address="0x1",
        amount_minor=minor - 1,
        fee_cap_minor=1,
        reserved_minor=minor,
        state=state,
        problem=problem,
        requested_at=NOW,
        tried_at=NOW,
    )
    side = read_facts().sides["ETH"]
    assert side.ceilings is not None
    assert side.ceilings.asked == counts


@pytest.fixture
def ten_an_hour(settings: LazySettings) -> Iterator[None]:
    """A signer of ether that lets 10 go in an hour, of which 4 were signed at NOW."""
    settings.CEILINGS = {
        **settings.CEILINGS,
        "ethereum": {"payout": "10", "hour": "10", "day": "12", "funded_hour": "9"},
    }
    line = journal.Line(NOW, journal.SIGNED, 1, "order:O1:settle", "0x1", 4 * ETH, ("litecoin",))
    journal.append("ethereum", line)
    yield


@pytest.mark.parametrize(
    ("later", "hour", "day", "funded"),
    [
        (timedelta(0), 6, 8, 5),
        (timedelta(hours=1, microseconds=-1), 6, 8, 5),
        (timedelta(hours=1), 10, 8, 9),
        (timedelta(hours=24, microseconds=-1), 10, 8, 9),
        (timedelta(hours=24), 10, 12, 9),
    ],
)
def test_the_signer_tells_what_is_left_and_the_offer_opens_as_the_hour_passes(
    ten_an_hour: None, later: timedelta, hour: int, day: int, funded: int
) -> None:
    with clock.clock_reads(lambda: NOW + later):
        publish_room("ethereum")
    row = SignerRoom.objects.get(chain="ethereum")
    assert (row.hour_left_minor, row.day_left_minor, row.funded_left) == (
        hour * ETH,
        day * ETH,
        {"litecoin": funded * ETH},
    )
    forget_all()
    side = read_facts().sides["ETH"]
    assert room_of(find_pair("ETHLTC"), side).signable == min(hour, day, funded) * ETH


def test_what_waits_and_the_spans_are_in_the_operators_health_and_in_no_other() -> None:
    set_room("ethereum", funded_left={"litecoin": 1}, hour=7)
    forget_all()
    with clock.clock_reads(lambda: NOW):
        told = tell_health(True)
        assert told["ceilings"]["ETH"] == {
            "payout": str(FAR),
            "hour_left": "7",
            "day_left": str(FAR),
            "funded_left": {"litecoin": "1"},
            "asked": "0",
            "promised": "0",
        }
        assert any("ceiling_reached" in cause for cause in told["causes"]["ETH"])
        assert "ceilings" not in tell_health(False)
        assert tell_health(False)["assets"]["ETH"] == "paused"


def test_a_signer_that_has_never_spoken_sells_nothing_but_during_a_replacement() -> None:
    """The release before this one may not know how to say it."""
    SignerRoom.objects.filter(chain="ethereum").update(chain="another")
    assert (causes("ETHLTC"), causes("LTCETH")) == ([Reason.SIGNER_SILENT], [])
    begin_replacement()
    assert causes("ETHLTC") == []
    assert is_sold(find_pair("ETHLTC"), at=NOW)


def test_a_signer_whose_journal_lost_lines_tells_nothing_and_is_noticed(ten_an_hour: None) -> None:
    with clock.clock_reads(lambda: NOW):
        publish_room("ethereum")
        before = SignerRoom.objects.get(chain="ethereum")
        journal.path_of("ethereum").write_bytes(b"")
        with pytest.raises(journal.JournalBroken):
            publish_room("ethereum")
        tell_room("ethereum")  # as its process does, which goes on
    assert SignerRoom.objects.get(chain="ethereum").at == before.at


def test_books_and_ceilings_bind_each_by_itself() -> None:
    """More coins do not lift a ceiling, a higher ceiling brings no coins."""
    with_coins = Money(50 * ETH, get_asset("ETH"))
    legs = (Leg("chain:spendable", with_coins), Leg("capital", -with_coins))
    post_entry(NewEntry("more coins", "capital", NOW, legs))
    set_room("ethereum", funded_left={"litecoin": FAR}, payout=ETH)
    forget_all()
    assert get_offer("ETHLTC", at=NOW).limits.max_get.minor < ETH
