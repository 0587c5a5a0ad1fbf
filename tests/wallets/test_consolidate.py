"""Small coins are joined: what may be joined, what stays for payouts, what it costs, and that it is booked as its fee alone."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from core.assets import get_asset
from core.money import Money
from core.snapshot import forget_all
from ledger.balances import get_balance
from ledger.post import post_entries
from ledger.reserve import reserve_entry
from orders.facts import read_facts
from orders.offer import get_offer
from orders.standing import list_hints
from tests.simulated import SimulatedExchange
from wallets import states
from wallets.addresses import house_address
from wallets.bump import bump_stuck_payouts
from wallets.chains.coin_choice import JOIN_FEE_PERCENT, MOST_JOINED, join_fee, least_joined, smallest_within
from wallets.freeze import frozen_scopes
from wallets.models import Address, Attempt, ChainState, Coin, CoinHold, Payout
from wallets.paying.advice import gather_advice
from wallets.paying.consolidate import Join, NothingToJoin, consolidate
from wallets.paying.signing import request_signature
from wallets.safety.reconcile import reconcile_chain
from wallets.signer import journal

LTC = 10**8


def join(site: SimulatedExchange, *, keep: int = 0, ask: bool = True) -> Join:
    return consolidate(asset=get_asset("LTC"), keep_minor=keep, at=site.now(), ask=ask)


def with_coins(site: SimulatedExchange, number: int) -> SimulatedExchange:
    Coin.objects.filter(chain="litecoin").update(usable=False)
    site.fund("litecoin", LTC, times=number)
    site.price()
    return site


@pytest.fixture
def sixty(simulated: SimulatedExchange) -> SimulatedExchange:
    """An exchange with sixty coins of one LTC and no other."""
    return with_coins(simulated, 60)


@pytest.fixture
def small(simulated: SimulatedExchange) -> SimulatedExchange:
    """The same with six."""
    return with_coins(simulated, 6)


# smallest first, the most, and how many of them are joined
WITHIN = [
    ((), 10, 0),
    ((5, 5), 9, 1),
    ((5, 5), 10, 2),
    ((5, 5), 11, 2),
    ((1,) * (MOST_JOINED + 1), 10**9, MOST_JOINED),
    ((1,) * MOST_JOINED, MOST_JOINED - 1, MOST_JOINED - 1),
]


@pytest.mark.parametrize(("coins", "most", "count"), WITHIN)
def test_the_smallest_coins_that_come_to_no_more(coins: tuple[int, ...], most: int, count: int) -> None:
    assert smallest_within(coins, most) == count


# what payouts need now, how many coins stay for it, how many are joined; of six of 1 LTC
KEPT = [(0, 0, 6), (1, 1, 5), (LTC, 1, 5), (LTC + 1, 2, 4), (4 * LTC, 4, 2), (4 * LTC + 1, 5, None)]


@pytest.mark.parametrize(("keep", "kept", "joined"), KEPT)
def test_what_payouts_need_now_stays(small: SimulatedExchange, keep: int, kept: int, joined: int | None) -> None:
    if joined is None:
        with pytest.raises(NothingToJoin):
            join(small, keep=keep)
        return
    plan = join(small, keep=keep, ask=False)
    assert (plan.kept, plan.coins, plan.total.minor) == (kept, joined, joined * LTC)
    assert not Payout.objects.exists()


def test_a_hundred_coins_of_dust_from_strangers_keep_nothing_from_being_joined(small: SimulatedExchange) -> None:
    """They are the smallest, and cost more than they are worth: alone looked at, they made joining anything impossible."""
    small.fund("litecoin", 5460, times=MOST_JOINED)
    small.price()

    assert (join(small).coins, Payout.objects.get().amount_minor) == (6, 6 * LTC)
    small.tick()

    payout = Payout.objects.get()
    assert payout.state == states.BROADCAST, payout.problem
    assert CoinHold.objects.filter(payout=payout).count() == len(payout.attempts.get().list_inputs()) == 6


@pytest.mark.parametrize("rate", [1, 10, 1000])
def test_two_or_more_of_the_least_coins_cost_no_more_than_their_share(rate: int) -> None:
    least = least_joined(rate)
    for count in (2, 3, MOST_JOINED):
        assert join_fee(count, rate) * 100 <= JOIN_FEE_PERCENT * least * count
    assert join_fee(2, rate) * 100 > JOIN_FEE_PERCENT * (least - 1) * 2


def test_sixty_coins_become_one_that_pays_what_they_could_not(sixty: SimulatedExchange) -> None:
    before = get_offer("LTCETH", at=sixty.now()).limits.max_get.minor
    assert before < 20 * LTC
    assert "coins_small" in " ".join(list_hints(read_facts())["LTC"])
    books = get_balance(kind="chain:spendable", asset=get_asset("LTC")).minor

    out = StringIO()
    call_command("consolidate", "ltc", stdout=out)
    assert "60 coins of 60 LTC" in out.getvalue()
    assert not Payout.objects.exists()
    call_command("consolidate", "ltc", "--yes", stdout=out)
    payout = Payout.objects.get()
    assert (payout.purpose, payout.amount_minor, payout.reserved_minor) == (
        "house:consolidate:1",
        60 * LTC,
        payout.fee_cap_minor,
    )
    sixty.tick()

    # On its way already: its one coin is in the mempool, and as much is offered as will be.
    payout.refresh_from_db()
    assert payout.state == states.BROADCAST
    forget_all()
    during = get_offer("LTCETH", at=sixty.now()).limits.max_get.minor
    sixty.litecoin.mine(1)
    sixty.tick()
    assert reconcile_chain(node=sixty.client_of("litecoin"), at=sixty.now()).difference.minor == 0
    sixty.settle()
    payout.refresh_from_db()
    fee = join_fee(60, 10)
    assert (payout.state, payout.fee_minor) == (states.CONFIRMED, fee)
    assert Coin.objects.filter(chain="litecoin", usable=True, spent_txid="").count() == 1
    assert sixty.client_of("litecoin").balance([house_address(chain="litecoin", at=sixty.now()).address])
    assert get_balance(kind="chain:spendable", asset=get_asset("LTC")).minor == books - fee
    assert get_balance(kind="expense:network", asset=get_asset("LTC")).minor == fee
    assert reconcile_chain(node=sixty.client_of("litecoin"), at=sixty.now()).difference.minor == 0
    assert frozen_scopes() == frozenset()
    forget_all()
    after = get_offer("LTCETH", at=sixty.now()).limits.max_get.minor
    assert before < during
    assert before < after
    assert list_hints(read_facts())["LTC"] == []

    order = sixty.open("LTCETH", send="0.4").order
    assert order.get_minor > 12 * LTC
    sixty.pay(order)
    sixty.settle()
    assert sixty.paid(order) == order.get_minor


def test_there_is_one_at_a_time_and_a_second_time_changes_nothing(small: SimulatedExchange) -> None:
    join(small)
    with pytest.raises(NothingToJoin, match="on its way"):
        join(small)
    assert Payout.objects.count() == 1
    with pytest.raises(CommandError, match="on its way"):
        call_command("consolidate", "LTC", "--yes")


def test_a_chain_with_balances_has_no_coins_to_join(simulated: SimulatedExchange) -> None:
    with pytest.raises(NothingToJoin, match="balances"):
        consolidate(asset=get_asset("ETH"), keep_minor=0, at=simulated.now())


def test_only_its_fee_counts_against_the_ceilings_and_it_can_be_outbid(small: SimulatedExchange) -> None:
    join(small)
    small.tick()
    payout = Payout.objects.get()
    (line,) = journal.read_recent("litecoin", at=small.now())[-1:]
    assert (line.payout, line.minor) == (payout.pk, payout.fee_cap_minor)

    first = payout.attempts.get()
    small.litecoin.charge(25)
    small.later(minutes=31)
    assert bump_stuck_payouts(node=small.client_of("litecoin"), at=small.now()) == 1
    second = payout.attempts.get(n=2)
    assert set(second.list_inputs()) == set(first.list_inputs())
    assert first.fee_minor < second.fee_minor <= payout.fee_cap_minor
    small.settle()
    payout.refresh_from_db()
    assert (payout.state, payout.txid, payout.fee_minor) == (states.CONFIRMED, second.txid, second.fee_minor)


def forged(site: SimulatedExchange, **changes: object) -> Payout:
    """Write an intent that joins coins as whoever has stolen a worker may, with its reservation."""
    fields = {
        "purpose": "house:consolidate:7",
        "chain": "litecoin",
        "asset_id": "LTC",
        "address": house_address(chain="litecoin", at=site.now()).address,
        "amount_minor": 60 * LTC,
        "fee_cap_minor": 10_000,
        "reserved_minor": 10_000,
        "requested_at": site.now(),
    } | changes
    payout = Payout.objects.create(**fields)
    amount = Money(payout.reserved_minor, payout.asset)
    post_entries([reserve_entry(purpose=payout.purpose, amount=amount, at=site.now())])
    return payout


def fault_of(payout: Payout) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT orders_payout_fault(%s)", [payout.pk])
        return cursor.fetchone()[0]


# what is forged, what the database says of it, what the signer does
FORGED = [
    ({"address": "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kyupwk2"}, "address", "no_facts"),
    ({"amount_minor": 10_000 * 100}, None, None),
    ({"amount_minor": 10_000 * 100 - 1}, "fee_cap", "no_facts"),
    ({"fee_cap_minor": join_fee(MOST_JOINED, 1000)}, None, None),
    ({"fee_cap_minor": join_fee(MOST_JOINED, 1000) + 1}, None, "fee_cap"),
    ({"funded_by": [1]}, "house_pays_no_order", "funding_unconfirmed"),
    ({"purpose": "house:steal:7", "amount_minor": LTC, "reserved_minor": LTC + 10_000}, "no_order", "no_facts"),
]


@pytest.mark.parametrize(("changes", "fault", "code"), FORGED)
def test_an_intent_that_sends_or_burns_coins_is_not_signed(
    small: SimulatedExchange, changes: dict[str, object], fault: str | None, code: str | None
) -> None:
    if "fee_cap_minor" in changes:
        changes = changes | {"reserved_minor": changes["fee_cap_minor"]}
    payout = forged(small, **changes)
    assert fault_of(payout) == fault
    outcome = request_signature(
        action="pay", payout_id=payout.pk, advice=gather_advice(small.client_of("litecoin"), at=small.now())
    )
    if code is None:
        assert outcome.signed or outcome.code == "nothing_to_join", outcome
    else:
        assert (outcome.signed, outcome.code) == (False, code)
        assert not Attempt.objects.exists()
    Payout.objects.filter(pk=payout.pk, state=states.REQUESTED).update(state=states.REJECTED)


def test_an_address_row_that_calls_a_stranger_the_house_is_not_believed(small: SimulatedExchange) -> None:
    """The database checks the row, the signer derives: a worker may write addresses."""
    thief = small.litecoin.new_address()
    Address.objects.create(chain="litecoin", address=thief, account=5, branch=1, index=9, created_at=small.now())
    payout = forged(small, address=thief)
    assert fault_of(payout) is None
    outcome = request_signature(
        action="pay", payout_id=payout.pk, advice=gather_advice(small.client_of("litecoin"), at=small.now())
    )
    assert (outcome.signed, outcome.code) == (False, "target_not_house")


def test_an_intent_that_finds_nothing_any_more_ends(small: SimulatedExchange) -> None:
    join(small)
    Coin.objects.filter(chain="litecoin").update(usable=False)
    small.tick()
    payout = Payout.objects.get()
    assert (payout.state, payout.problem.partition(":")[0]) == (states.REJECTED, "nothing_to_join")
    assert not CoinHold.objects.exists()
    Coin.objects.filter(chain="litecoin", spent_txid="").update(usable=True)
    join(small)
    assert list(Payout.objects.order_by("pk").values_list("purpose", flat=True)) == [
        "house:consolidate:1",
        "house:consolidate:2",
    ]


def test_dear_fees_are_told_and_nothing_is_joined(small: SimulatedExchange) -> None:
    Coin.objects.filter(chain="litecoin", amount_minor=LTC).update(usable=False)
    small.fund("litecoin", 10**6, times=3)
    ChainState.objects.filter(code="litecoin").update(fee_rate_minor=1000)
    with pytest.raises(NothingToJoin, match="over 1 %"):
        join(small)
