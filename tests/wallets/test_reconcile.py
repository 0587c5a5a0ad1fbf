"""Books against chains, and rows against what they claim to stand on: what is wrong stops the asset, what is more does not."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from core import clock
from ledger.balances import find_imbalances, get_balance
from orders.models import Order
from tests.plugin_exchange import make_keys
from tests.simulated import SimulatedExchange
from wallets import states
from wallets.addresses import house_address
from wallets.freeze import frozen_scopes, list_open
from wallets.models import Coin, Deposit, Payout, Reconciliation
from wallets.safety import reconcile as module
from wallets.safety.reconcile import Comparison, NotScanned, reconcile_chain
from wallets.scan_state import native_asset

ASSETS = {"litecoin": "LTC", "ethereum": "ETH"}


def compare(site: SimulatedExchange, chain: str, *, full: bool = False) -> Comparison:
    return reconcile_chain(node=site.client_of(chain), at=site.now(), full=full)


@pytest.fixture
def committed(committed_db: None, tmp_path: Path, settings: LazySettings) -> Iterator[SimulatedExchange]:
    """The simulated exchange with real commits: for rows that somebody else changes, and for what happens outside one."""
    make_keys(tmp_path, settings, b"\x06" * 32)
    site = SimulatedExchange(clock.now())
    with clock.clock_reads(site.now):
        site.mine(1)
        for chain in ASSETS:
            site.scan(chain)
        site.fund("litecoin", 25 * 10**8)
        site.fund("ethereum", 100 * 10**18)
        site.price()
        yield site


def owner_sql(statement: str, *values: object) -> None:
    """Change rows of a table as somebody does who owns the database: no trigger of ours may stop this."""
    table = re.findall(r"(?:UPDATE|INSERT INTO) (\w+)", statement)[0]
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement, values)
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def is_paid(site: SimulatedExchange, order: Order) -> bool:
    site.settle(4)
    return site.paid(order) > 0


def pays(chain: str) -> str:
    return "LTCETH" if chain == "litecoin" else "ETHLTC"


@pytest.mark.parametrize("chain", sorted(ASSETS))
def test_a_payout_that_is_mined_and_not_deep_yet_is_in_flight_with_its_fee(
    simulated: SimulatedExchange, chain: str
) -> None:
    """The fee of a mined payment in litecoin was missed until it was confirmed: whoever compared then froze the asset."""
    order = simulated.open(pays(chain), send="0.1").order
    simulated.pay(order)
    paying, paid = simulated.node_of(order.send_asset.network), simulated.node_of(chain)
    while not Payout.objects.filter(state=states.BROADCAST).exists():
        paying.mine(1)
        simulated.tick()
    paid.mine(1)
    simulated.tick()
    payout = Payout.objects.get()
    assert (payout.state, payout.attempts.get().block_height) == (states.BROADCAST, paid.tip().height)

    assert compare(simulated, chain).difference.minor == 0
    assert frozen_scopes() == frozenset()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("chain", sorted(ASSETS))
def test_books_that_agree_say_so_in_a_row(simulated: SimulatedExchange, chain: str, full: bool) -> None:
    order = simulated.open(pays(chain), send="0.1").order
    simulated.pay(order)
    simulated.mine(1)
    simulated.tick()  # a deposit in flight
    assert compare(simulated, chain, full=full).difference.minor == 0
    simulated.settle()

    result = compare(simulated, chain, full=full)

    row = Reconciliation.objects.get(asset=ASSETS[chain])
    assert (result.difference.minor, row.difference_minor, row.acted, row.said) == (0, 0, "", "")
    assert (row.height, row.at) == (simulated.client_of(chain).tip().height, simulated.now())
    assert row.on_chain_minor == row.in_books_minor > 0
    assert not frozen_scopes()


def lose_a_coin(site: SimulatedExchange, chain: str) -> None:
    """Let the chain hold one unit less than the books say, without a transaction that anybody saw."""
    rules = site.client_of(chain).rules
    if chain == "ethereum":
        rules.balances[house_address(chain=chain, at=site.now()).address] -= 1
        return
    coin = Coin.objects.filter(chain=chain, spent_txid="").first()
    assert coin is not None
    address, minor, height = rules.coins[coin.txid, coin.vout]
    rules.coins[coin.txid, coin.vout] = (address, minor - 1, height)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("chain", sorted(ASSETS))
def test_one_unit_less_on_the_chain_stops_the_asset_and_nothing_is_paid(
    simulated: SimulatedExchange, chain: str, full: bool
) -> None:
    order = simulated.open(pays(chain), send="0.1").order
    simulated.pay(order)
    lose_a_coin(simulated, chain)
    simulated.scan(chain)

    result = compare(simulated, chain, full=full)

    assert result.difference.minor == -1
    assert frozen_scopes() == {ASSETS[chain]}
    assert Reconciliation.objects.get(asset=ASSETS[chain]).acted == f"{ASSETS[chain]} frozen"
    compare(simulated, chain, full=full)
    assert len(list_open()) == 1, "each turn froze it once more"
    assert not is_paid(simulated, order)


def test_one_wei_more_is_booked_and_named_and_selling_goes_on(simulated: SimulatedExchange) -> None:
    """Fault 38: what lay on an address without a known deposit was never asked about."""
    order = simulated.open("LTCETH", send="0.1").order
    simulated.ethereum.rules.balances[order.deposit_address] = 1
    before = get_balance(kind="unidentified", asset=native_asset("ethereum")).minor
    simulated.scan("ethereum")

    result = compare(simulated, "ethereum")

    assert (result.difference.minor, result.strange) == (1, {order.deposit_address: 1})
    assert get_balance(kind="unidentified", asset=native_asset("ethereum")).minor == before - 1
    row = Reconciliation.objects.get(asset="ETH")
    assert row.acted == "booked as unidentified"
    assert f"{order.deposit_address} holds 1" in row.said
    assert compare(simulated, "ethereum").difference.minor == 0
    assert not frozen_scopes()
    assert simulated.open("ETHLTC", send="0.1").order
    assert find_imbalances() == []


def test_every_address_has_its_turn_and_each_turn_its_bound(
    simulated: SimulatedExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLICE", 2)
    orders = [simulated.open("LTCETH", send="0.01").order for _ in range(5)]
    asked: list[int] = []
    node = simulated.client_of("ethereum")
    real = node.balance
    monkeypatch.setattr(node, "balance", lambda addresses: asked.append(len(addresses)) or real(addresses))
    for order in orders:
        node.rules.balances[order.deposit_address] = 7

    found: set[str] = set()
    for _ in range(3):
        found |= set(compare(simulated, "ethereum").strange)

    assert found == {order.deposit_address for order in orders}
    assert max(asked) <= 1 + 2
    compare(simulated, "ethereum")
    assert Reconciliation.objects.get(asset="ETH").address_cursor > 0, "the walk begins anew"


def forge_payout(site: SimulatedExchange) -> Order:
    """Add a payout that nothing funds, for an order that was opened and never paid."""
    order = site.open("LTCETH", send="0.1").order
    owner_sql(
        """INSERT INTO wallets_payout (purpose, chain, asset_id, owner_ref, address, amount_minor, fee_cap_minor,
               reserved_minor, funded_by, state, txid, requested_at, reorg_count, problem, news)
           VALUES (%s, 'litecoin', 'LTC', %s, %s, 1000000, 1000, 1001000, '{}', 'REQUESTED', '', now(), 0, '', false)""",
        f"order:{order.reference}:settle",
        order.reference,
        site.litecoin.new_address(),
    )
    return order


def paid_order(site: SimulatedExchange) -> Order:
    order = site.open("LTCETH", send="0.1").order
    site.pay(order)
    site.settle()
    assert Payout.objects.get().state == states.CONFIRMED
    return order


def forge_disposition(site: SimulatedExchange) -> None:
    """A settlement whose deposit was never credited."""
    paid_order(site)
    owner_sql(
        "UPDATE wallets_deposit SET disposition = 'WAITING', deadline = now(), next_actor = 'customer'",
    )


def forge_another_order(site: SimulatedExchange) -> None:
    paid_order(site)
    owner_sql("UPDATE wallets_payout SET owner_ref = 'OFFFFFFFFFFFFFFFF'")


def forge_amount(site: SimulatedExchange) -> None:
    paid_order(site)
    owner_sql(
        "UPDATE wallets_payout SET amount_minor = amount_minor + 1, reserved_minor = reserved_minor + 1",
    )


def forge_deposit(site: SimulatedExchange) -> None:
    paid_order(site)
    owner_sql("UPDATE wallets_deposit SET amount_minor = amount_minor + 1 WHERE owner_ref <> ''")


def forge_address(site: SimulatedExchange) -> None:
    """Deposits of an order counted from an address that is not ours."""
    paid_order(site)
    owner_sql("UPDATE wallets_address SET address = %s WHERE owner_ref <> ''", site.ethereum.new_address())


FORGERIES: list[tuple[Callable[[SimulatedExchange], object], str, str]] = [
    (forge_payout, "litecoin", "is not reserved in the books"),
    (forge_disposition, "litecoin", "has no deposit of its order"),
    (forge_another_order, "litecoin", "has no deposit of its order"),
    (forge_amount, "litecoin", "is not reserved in the books"),
    (forge_deposit, "ethereum", "is not booked as it says"),
    (forge_address, "ethereum", "is not derived from our key"),
]


@pytest.mark.parametrize(("forge", "chain", "said"), FORGERIES, ids=lambda value: getattr(value, "__name__", None))
def test_a_row_that_stands_on_nothing_stops_the_asset(
    committed: SimulatedExchange, forge: Callable[[SimulatedExchange], object], chain: str, said: str
) -> None:
    compare(committed, chain)
    assert not frozen_scopes()
    forge(committed)
    committed.scan(chain)

    result = compare(committed, chain)

    assert any(said in forgery for forgery in result.forgeries), result.forgeries
    assert ASSETS[chain] in frozen_scopes()
    assert "frozen" in Reconciliation.objects.get(asset=ASSETS[chain]).acted


def test_the_forged_payout_is_not_paid(committed: SimulatedExchange) -> None:
    order = forge_payout(committed)
    compare(committed, "litecoin")
    committed.settle(3)

    payout = Payout.objects.get(owner_ref=order.reference)
    assert committed.litecoin.received(payout.address) == 0


def test_a_payment_that_the_journal_does_not_name_stops_the_asset(
    simulated: SimulatedExchange, settings: object
) -> None:
    paid_order(simulated)
    path = settings.PAYOUT_JOURNAL  # type: ignore[attr-defined]
    assert compare(simulated, "litecoin").forgeries == ()
    with open(path, "w", encoding="utf-8"):  # noqa: PTH123 -- emptied
        pass

    assert any("is not in the journal" in said for said in compare(simulated, "litecoin").forgeries)
    assert "LTC" in frozen_scopes()


def test_the_node_is_asked_outside_any_transaction(
    committed: SimulatedExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault: the node was asked with the chain's row locked."""
    node = committed.client_of("ethereum")
    real = node._listen

    def listen() -> None:
        assert not connection.in_atomic_block
        real()

    monkeypatch.setattr(node, "_listen", listen)
    assert compare(committed, "ethereum").difference.minor == 0


def test_a_chain_that_moves_on_meanwhile_decides_nothing(
    simulated: SimulatedExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = simulated.client_of("ethereum")
    real = node.balance

    def mined_meanwhile(addresses: list[str]) -> dict[str, int]:
        node.mine(1)
        return {address: minor - 1 for address, minor in real(addresses).items()}

    monkeypatch.setattr(node, "balance", mined_meanwhile)
    with pytest.raises(NotScanned):
        compare(simulated, "ethereum")
    assert not frozen_scopes()
    assert not Reconciliation.objects.exists()


def test_the_work_of_a_turn_does_not_grow_with_the_history(simulated: SimulatedExchange) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            compare(simulated, "ethereum")
        return len(queries)

    paid_order(simulated)
    compare(simulated, "ethereum")
    first = cost()
    for _ in range(3):
        order = simulated.open("LTCETH", send="0.01").order
        simulated.pay(order)
    simulated.settle()
    assert cost() == first


def test_deposits_are_looked_at_at_all(simulated: SimulatedExchange) -> None:
    """The control run of the forgeries: what they change is there and in order before."""
    paid_order(simulated)
    assert Deposit.objects.exclude(owner_ref="").count() == 1
    for chain in ASSETS:
        assert compare(simulated, chain).forgeries == ()
