"""orders.offer: what is sold, how much and why not, at the edge of every published limit."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.assets import get_asset
from core.errors import DomainError
from core.heartbeat import grace_s
from core.money import Money
from core.snapshot import forget_all
from nexchange import settings as published
from orders import policy
from orders.facts import Facts, read_facts
from orders.models import Order
from orders.offer import find_pair, get_offer, is_sold, offer_of, room_of
from orders.open import Client, open_order
from orders.pauses import WORDS, Reason, find_pauses
from orders.quotes import make_quote
from tests.beats import give_coins
from tests.orders.conftest import NOW
from ticker.models import Pair
from wallets.chains.coin_choice import most_payable
from wallets.freeze import freeze
from wallets.models import ChainState, Coin, Quarantine

pytestmark = pytest.mark.usefixtures("site")

ETH_ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # from EIP-55
LIMITS = published.HEARTBEAT_LIMITS_S
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _limits_as_published(settings: LazySettings) -> None:
    settings.HEARTBEAT_LIMITS_S, settings.SCAN_LIMIT_S = LIMITS, published.SCAN_LIMIT_S


def reasons(pair: str, facts: Facts) -> list[tuple[str, str]]:
    return [(str(pause.reason), pause.asset) for pause in find_pauses(find_pair(pair), facts, at=NOW)]


def with_age(facts: Facts, name: str, age: float | None) -> Facts:
    ages = {k: v for k, v in facts.ages.items() if k != name} | ({} if age is None else {name: age})
    return replace(facts, ages=ages)


def with_side(facts: Facts, code: str, **changes: Any) -> Facts:
    return replace(facts, sides={**facts.sides, code: replace(facts.sides[code], **changes)})


# work, whose silence pauses (ETHLTC, LTCETH), and the reason
WORKS = [
    ("default", "both", "worker_silent"),
    ("prices", "both", "prices_silent"),
    ("deadlines", "both", "deadlines_silent"),
    ("publish", "both", "events_silent"),
    ("scan:litecoin", "both", "scan_silent"),
    ("scan:ethereum", "both", "scan_silent"),
    ("orders:litecoin", "both", "orders_silent"),
    ("orders:ethereum", "both", "orders_silent"),
    ("reconcile:LTC", "both", "reconcile_silent"),
    ("reconcile:ETH", "both", "reconcile_silent"),
    ("pay:litecoin", "LTCETH", "payouts_silent"),
    ("pay:ethereum", "ETHLTC", "payouts_silent"),
    ("signer:litecoin", "LTCETH", "signer_silent"),
    ("signer:ethereum", "ETHLTC", "signer_silent"),
]


@pytest.mark.parametrize(("work", "pairs", "reason"), WORKS)
def test_silent_work_pauses_what_needs_it_and_not_a_moment_sooner(work: str, pairs: str, reason: str) -> None:
    facts, limit = read_facts(), LIMITS[work.partition(":")[0]]
    for age, silent in ((limit - 1, False), (limit, False), (limit + 0.01, True), (None, True)):
        for pair in ("ETHLTC", "LTCETH"):
            expected = [reason] if silent and pairs in ("both", pair) else []
            assert [code for code, _ in reasons(pair, with_age(facts, work, age))] == expected, (age, pair)


def test_work_may_be_away_while_its_process_is_replaced_and_no_longer_than_published() -> None:
    """A planned replacement lends its own limit to all work, for that long after its beginning, and nothing to a start."""
    most = LIMITS["replacing"]
    away = replace(read_facts(), ages=dict.fromkeys(read_facts().ages, most))
    away = with_side(away, "LTC", scan_started_at=old(most, 0), untried_since=old(most, 0))
    for age, sold in ((0, True), (most, True), (most + 1, False), (None, False)):
        assert (reasons("ETHLTC", with_age(away, "replacing", age)) == []) is sold, age
    late = with_age(with_age(away, "replacing", 0), "scan:litecoin", most + 1)
    assert reasons("ETHLTC", late) == [("scan_silent", "LTC")]
    assert reasons("ETHLTC", with_age(late, "scan:litecoin", None)) == [("scan_silent", "LTC")]


def test_a_replacement_is_begun_and_over_by_command() -> None:
    call_command("replacing", stdout=StringIO())
    begun = read_facts().ages
    assert grace_s(begun) == LIMITS["replacing"]
    call_command("replacing", "--over", stdout=StringIO())
    assert grace_s(read_facts().ages) == 0
    call_command("replacing", stdout=StringIO())
    assert grace_s(read_facts().ages) == LIMITS["replacing"]


def test_whatever_must_be_noticed_within_ten_seconds_has_such_a_limit() -> None:
    assert {LIMITS[name] for name in ("default", "scan", "orders", "pay", "signer")} == {9}


def old(limit_s: int, late: int) -> Any:
    return NOW - timedelta(seconds=limit_s + late)


# the changed facts of ETH, at their limit or beyond, and the reason in (ETHLTC, LTCETH)
FACTS: list[tuple[dict[str, Any], str, str]] = [
    ({"scanned": False}, "chain_not_scanned", "chain_not_scanned"),
    ({"scan_started_at": None}, "chain_not_scanned", "chain_not_scanned"),
    ({"problem": "node: away"}, "chain_problem", "chain_problem"),
    ({"set_aside": 1}, "set_aside", "set_aside"),
    ({"scan_started_at": old(published.SCAN_LIMIT_S, 0)}, "", ""),
    ({"scan_started_at": old(published.SCAN_LIMIT_S, 1)}, "scan_old", "scan_old"),
    ({"untried_since": old(published.UNSENT_LIMIT_S, 0)}, "", ""),
    ({"untried_since": old(published.UNSENT_LIMIT_S, 1)}, "payouts_waiting", ""),
    ({"unsent_since": old(published.UNSENT_LIMIT_S, 0)}, "", ""),
    ({"unsent_since": old(published.UNSENT_LIMIT_S, 1)}, "payouts_waiting", ""),
    ({"lane_since": old(published.LANE_LIMIT_S, 0)}, "", ""),
    ({"lane_since": old(published.LANE_LIMIT_S, 1)}, "lane_stuck", ""),
]


@pytest.mark.parametrize(("changes", "paid_out", "paid_in"), FACTS)
def test_facts_of_a_chain_pause_the_pairs_that_need_them(changes: dict[str, Any], paid_out: str, paid_in: str) -> None:
    facts = with_side(read_facts(), "ETH", **changes)

    assert [code for code, _ in reasons("ETHLTC", facts)] == ([paid_out] if paid_out else [])
    assert [code for code, _ in reasons("LTCETH", facts)] == ([paid_in] if paid_in else [])


@pytest.mark.parametrize(
    ("scope", "ethltc", "ltceth"),
    [
        ("ALL", ["payouts_frozen"], ["payouts_frozen"]),
        ("ETH", ["payouts_frozen"], []),
        ("LTC", [], ["payouts_frozen"]),
        ("from:LTC", ["deposits_frozen"], []),
        ("from:ETH", [], ["deposits_frozen"]),
    ],
)
def test_a_freeze_stops_what_it_names(scope: str, ethltc: list[str], ltceth: list[str]) -> None:
    freeze(scope=scope, reason="a test", at=NOW, by="a test")
    facts = read_facts()

    assert [[code for code, _ in reasons(pair, facts)] for pair in ("ETHLTC", "LTCETH")] == [ethltc, ltceth]


@pytest.mark.parametrize(("off_s", "codes"), [(5.0, []), (-5.0, []), (5.1, ["clock_off"]), (-5.1, ["clock_off"])])
def test_a_process_whose_clock_is_wrong_sells_nothing(off_s: float, codes: list[str]) -> None:
    assert [code for code, _ in reasons("ETHLTC", replace(read_facts(), clock_off_s=off_s))] == codes


@pytest.mark.parametrize(("off_s", "code"), [(600, "pair_paused"), (0, "rate_unavailable")])
def test_a_rate_that_a_wrong_clock_calls_old_is_not_what_is_wrong(off_s: int, code: str) -> None:
    """Ten minutes ahead every rate is stale; the cause that customers and operators are told is the clock."""
    facts = replace(read_facts(), clock_off_s=Decimal(off_s))
    with pytest.raises(DomainError) as refused:
        offer_of(find_pair("ETHLTC"), facts, at=NOW + timedelta(minutes=10))
    assert refused.value.code == code
    assert refused.value.context.get("reason_code") == ("clock_off" if off_s else "stale")


def test_the_difference_of_the_clocks_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    from orders import facts as module

    real = module.machine_now
    assert abs(read_facts().clock_off_s) < 1
    monkeypatch.setattr(module, "machine_now", lambda: real() + timedelta(minutes=10))
    assert 595 < read_facts().clock_off_s < 605
    monkeypatch.setattr(module, "machine_now", lambda: real() - timedelta(minutes=10))
    assert -605 < read_facts().clock_off_s < -595


def test_every_reason_has_its_words() -> None:
    assert set(WORDS) == set(Reason)


def _stop(what: str) -> None:
    if what == "node":
        ChainState.objects.filter(code="litecoin").update(problem="node: away")
    else:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE core_heartbeat SET at = at - interval '10 s' WHERE name = %s", [what])
    forget_all()


@pytest.mark.parametrize("what", ["node", "scan:litecoin", "default"])
@pytest.mark.parametrize("pair", ["ETHLTC", "LTCETH"])
def test_what_stopped_closes_both_pairs_also_for_a_quote_made_before(what: str, pair: str) -> None:
    """Faults 4 and 39: a stopped litecoin worker or node sold LTC addresses for minutes."""
    quote = make_quote(pair=pair, send="1", at=NOW)
    _stop(what)

    assert not is_sold(Pair.objects.get(pk=pair), at=NOW)
    for ask in (
        lambda: make_quote(pair=pair, send="1", at=NOW),
        lambda: open_order(quote=quote, payout_address="", at=NOW),
    ):
        with pytest.raises(DomainError) as refusal:
            ask()
        assert refusal.value.code == "pair_paused"
    assert not Order.objects.exists()


def test_it_is_sold_again_once_the_cause_is_gone() -> None:
    _stop("scan:litecoin")
    assert not is_sold(find_pair("ETHLTC"), at=NOW)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_heartbeat SET at = now()")
    forget_all()

    assert make_quote(pair="ETHLTC", send="1", at=NOW)


# free coins, fee cap, rate, and the most that one payout can carry. Change of up to 5,459 is left to the fee, within the cap.
PAYABLE = [
    ((), 10_000, 10, 0),
    ((100_000_000,), 10_000, 10, 100_000_000 - 1660),
    ((100_000_000,), 1660 + 5459, 10, 100_000_000 - 1660),
    ((100_000_000,), 1659 + 5459, 10, 0),  # not even one input fits its cap
    ((100_000_000, 100_000_000), 2350 + 5459, 10, 200_000_000 - 2350),
    ((100_000_000, 100_000_000), 2349 + 5459, 10, 100_000_000 - 1660),
    ((100_000_000, 100), 10_000, 10, 100_000_000 - 1660),  # a coin that costs more than it brings
    ((100_000_000,) * 60, 10**9, 10, 20 * 100_000_000 - (11 + 69 * 20 + 86) * 10),
]


@pytest.mark.parametrize(("coins", "cap", "rate", "most"), PAYABLE)
def test_the_most_that_coin_choice_can_pay(coins: tuple[int, ...], cap: int, rate: int, most: int) -> None:
    assert most_payable(coins, fee_cap_minor=cap, rate_minor=rate) == most


def test_no_more_is_offered_than_one_transaction_can_pay() -> None:
    """Fault 20: sixty coins of 1 were offered as 30 and paid 9."""
    Coin.objects.update(spent_txid="elsewhere", spent_height=1)
    give_coins("litecoin", 60 * 10**8, pieces=60)
    forget_all()
    offer = get_offer("LTCETH", at=NOW)
    fee = offer.terms.fee_cap.minor

    assert offer.limits.max_get.minor == most_payable([10**8] * 20, fee_cap_minor=fee, rate_minor=10)
    with pytest.raises(DomainError) as refusal:
        offer.room.refuse(offer.limits.max_get.minor + 1)
    assert refusal.value.code == "liquidity_short"


def test_what_promises_leave_at_the_edge() -> None:
    side = replace(read_facts().sides["ETH"], free=1000 * 10**18, unfunded=0)
    pair = replace_cap(find_pair("ETHLTC"), 100 * 10**18)
    small, fee = side.asset.minimum_minor * policy.SMALL_ORDER_MINIMUMS, room_of(pair, side).cap
    taken = replace(side, unfunded=80 * 10**18 - fee - small - 10)
    cases: list[tuple[Any, int, str]] = [
        (taken, small + 10, ""),
        (taken, small + 11, "reserve_promised"),
        (replace(side, unfunded=80 * 10**18), small + 1, "reserve_promised"),
        (replace(side, unfunded=80 * 10**18), small, ""),
        (replace(side, unfunded=100 * 10**18 - fee - small), small, ""),
        (replace(side, unfunded=100 * 10**18 - fee - small + 1), small, "reserve_promised"),
        (replace(side, free=small + fee - 1), small, "liquidity_short"),
    ]
    for facts, get, code in cases:
        assert refusal_of(lambda f=facts, g=get: room_of(pair, f).refuse(g)) == code, (facts.unfunded, get)


def replace_cap(pair: Pair, cap: int) -> Pair:
    pair.unfunded_cap_minor = cap
    return pair


def refusal_of(call: Callable[[], object]) -> str:
    try:
        call()
    except DomainError as error:
        return error.code
    return ""


def test_eighteen_orders_of_the_largest_amount_close_nothing() -> None:
    """Fault 12: they closed both pairs for twenty minutes."""
    for turn in range(18):
        for pair in ("ETHLTC", "LTCETH"):
            forget_all()
            largest = get_offer(pair, at=NOW).limits.max_get.format()
            client = Client(network=f"network {turn % 3}")
            refusal_of(
                lambda p=pair, g=largest, c=client: open_order(
                    quote=make_quote(pair=p, get=g, at=NOW), payout_address="", client=c, at=NOW
                )
            )
    forget_all()

    for pair in ("ETHLTC", "LTCETH"):
        least = get_offer(pair, at=NOW).limits.min_get.format()
        quote = make_quote(pair=pair, get=least, at=NOW)
        assert open_order(quote=quote, payout_address="", client=Client(network="somebody"), at=NOW).order


def test_one_client_holds_a_share_of_the_coins_and_no_more() -> None:
    Pair.objects.update(unfunded_cap_minor=None)
    forget_all()
    eth = get_asset("ETH")
    share = Money(100 * 10**18, eth)  # a tenth of the thousand that is there
    fee = get_offer("ETHLTC", at=NOW).terms.fee_cap
    client = Client(network="a network")

    def ask(get: Money, who: Client = client) -> str:
        forget_all()
        quote = make_quote(pair="ETHLTC", get="1", at=NOW)
        quote = replace(quote, get=get, token="")
        return refusal_of(lambda: open_order(quote=quote, payout_address="", client=who, at=NOW))

    assert ask(share - fee + Money(1, eth)) == "too_many_open_orders"
    assert ask(share - fee) == ""
    assert ask(Money(eth.minimum_minor * policy.SMALL_ORDER_MINIMUMS + 1, eth)) == "too_many_open_orders"
    assert ask(Money(eth.minimum_minor * policy.SMALL_ORDER_MINIMUMS, eth)) == ""
    assert ask(share - fee - fee, Client(network="another")) == ""


def test_dust_does_not_take_an_order_out_of_the_clients_count() -> None:
    client = Client(network="a network")
    for _ in range(10):
        order = open_order(quote=make_quote(pair="ETHLTC", send="1", at=NOW), payout_address="", client=client, at=NOW)
        order.order.promise.__class__.objects.filter(order=order.order).update(funded=True)

    quote = make_quote(pair="ETHLTC", send="1", at=NOW)
    assert (
        refusal_of(lambda: open_order(quote=quote, payout_address="", client=client, at=NOW)) == "too_many_open_orders"
    )


@pytest.mark.parametrize(("what", "sold"), [("own", False), ("token", True), ("movement", True), ("transaction", True)])
def test_what_strangers_may_cause_stops_nothing_and_a_failed_step_of_ours_does(what: str, sold: bool) -> None:
    row = Quarantine.objects.create(chain="litecoin", what=what, problem="a test", at=NOW)
    forget_all()
    assert is_sold(find_pair("ETHLTC"), at=NOW) is sold

    Quarantine.objects.filter(pk=row.pk).update(resolved_at=NOW, resolved_by="anna", resolved_because="looked into")
    forget_all()
    assert is_sold(find_pair("ETHLTC"), at=NOW)


def test_all_facts_are_one_statement() -> None:
    with CaptureQueriesContext(connection) as queries:
        read_facts("a network")
    assert len(queries) == 1
