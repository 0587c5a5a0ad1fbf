"""wallets.safety.house_tx: what a transaction took from us, brought back, paid to others and cost, to the unit."""

from dataclasses import replace
from typing import Any

import pytest

from core.assets import get_asset
from tests.addresses import take_address
from tests.wallets.signer.rows import ETH_TARGET, LTC_TARGET, NOW, make_coin, txid_of
from wallets import states
from wallets.addresses import house_address
from wallets.chains.protocol import Movement, Tx
from wallets.models import Deposit
from wallets.safety.house_tx import Moved, weigh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("accounts")]
NOTHING = Moved(0, 0, 0, 0, 0, 0, 0, alone=True, change=())
Row = dict[str, Any]


def address(chain: str, name: str) -> str:
    if name == "house":
        return house_address(chain=chain, at=NOW).address
    if name == "order":
        return take_address(chain=chain, owner_ref="O1", at=NOW).address
    return LTC_TARGET if chain == "litecoin" else ETH_TARGET


# what it spends (ours: 2000 and 3000; others'), what it pays in this order, and what that comes to
COINS: list[tuple[str, list[str], list[tuple[str, int]], Row]] = [
    (
        "to others, with change",
        ["a"],
        [("others", 1500), ("house", 400)],
        {"from_house": 2000, "left": 1500, "fee": 100, "to_house_unbooked": 400},
    ),
    ("all to others", ["a", "b"], [("others", 4990)], {"from_house": 5000, "left": 4990, "fee": 10}),
    ("all to ourselves", ["a"], [("house", 1990)], {"from_house": 2000, "fee": 10, "to_house_unbooked": 1990}),
    (
        "to an order",
        ["a"],
        [("order", 1990)],
        {"from_house": 2000, "fee": 10, "to_house_unbooked": 1990, "to_customers": 1990},
    ),
    (
        "with an input of others",
        ["a", "other"],
        [("others", 1900)],
        {"from_house": 2000, "left": 1900, "fee": 100, "alone": False},
    ),
    ("of others alone", ["other"], [("house", 700)], {"to_house_unbooked": 700, "alone": False}),
]


@pytest.mark.parametrize(("name", "spends", "pays", "moved"), COINS, ids=[case[0] for case in COINS])
def test_on_a_chain_with_outputs(name: str, spends: list[str], pays: list[tuple[str, int]], moved: Row) -> None:
    make_coin("a", 2000)
    make_coin("b", 3000)
    make_coin("a", 7000, vout=1)  # another output of the same transaction, which it does not spend
    targets = [address("litecoin", target) for target, _ in pays]
    movements = tuple(Movement(str(n), target, pays[n][1]) for n, target in enumerate(targets))
    tx = Tx("ab" * 32, movements, tuple((txid_of(coin), 0) for coin in spends))

    found = weigh(chain="litecoin", tx=tx)

    assert replace(found, change=()) == replace(NOTHING, **moved)
    ours = [m for m, (target, _) in zip(movements, pays, strict=True) if target != "others"]
    assert [movement for movement, _ in found.change] == ours


@pytest.mark.parametrize(("state", "booked"), [(states.CONFIRMED, 400), (states.SEEN, 400), (states.REMOVED, 0)])
def test_change_that_was_taken_for_a_deposit_is_told_apart(state: str, booked: int) -> None:
    make_coin("a", 2000)
    house = house_address(chain="litecoin", at=NOW)
    movements = (Movement("0", house.address, 300), Movement("1", house.address, 400))
    Deposit.objects.create(
        chain="litecoin",
        txid="ab" * 32,
        position="1",
        asset=get_asset("LTC"),
        address=house,
        amount_minor=400,
        state=state,
        first_seen_at=NOW,
    )
    found = weigh(chain="litecoin", tx=Tx("ab" * 32, movements, ((txid_of("a"), 0),)))
    assert (found.to_house_booked, found.to_house_unbooked) == (booked, 700 - booked)
    assert [movement.position for movement, _ in found.change] == (["0"] if booked else ["0", "1"])
    assert (found.from_house, found.left, found.fee) == (2000, 0, 1300)


# who sends, whom it pays, whether the chain says it succeeded, its fee, and what that comes to
ACCOUNTS: list[tuple[str, str, str, bool, int | None, Row]] = [
    ("the house to others", "house", "others", True, 21, {"from_house": 1021, "left": 1000, "fee": 21}),
    (
        "an order's address to the house",
        "order",
        "house",
        True,
        21,
        {"from_deposits": 1021, "fee": 21, "to_house_unbooked": 1000},
    ),
    (
        "the house to an order",
        "house",
        "order",
        True,
        21,
        {"from_house": 1021, "fee": 21, "to_house_unbooked": 1000, "to_customers": 1000},
    ),
    ("it failed: the fee alone", "house", "others", False, 21, {"from_house": 21, "fee": 21}),
    ("no fee is told", "house", "others", True, None, {"from_house": 1000, "left": 1000}),
    ("others to the house", "others", "house", True, 21, {"to_house_unbooked": 1000}),
    ("others to others", "others", "others", True, 21, {}),
]


@pytest.mark.parametrize(
    ("name", "sender", "target", "ok", "fee", "moved"), ACCOUNTS, ids=[case[0] for case in ACCOUNTS]
)
def test_on_a_chain_with_accounts(name: str, sender: str, target: str, ok: bool, fee: int | None, moved: Row) -> None:
    known = {who: address("ethereum", who) for who in dict.fromkeys((sender, target))}
    movements = (Movement("native", known[target], 1000),)
    tx = Tx("0xab", movements, sender=known[sender], nonce=1, ok=ok, fee_minor=fee)
    assert weigh(chain="ethereum", tx=tx) == replace(NOTHING, **moved)
