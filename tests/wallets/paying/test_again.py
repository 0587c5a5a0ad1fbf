"""wallets.paying.again: debts whose payout can never pay them get their next chance, once each, and are counted."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from core.money import Money
from ledger.balances import get_balance
from ledger.post import InsufficientFunds, Leg, NewEntry, post_entries
from tests.wallets.signer.rows import NOW, make_attempt, make_coin, make_payout, raw_spending, txid_of
from tests.wallets.test_confirm import TIP, finish, payout
from wallets import states
from wallets.chains.fake import FakeChain
from wallets.confirm import NONCE_USED_UP
from wallets.models import ChainState, Coin, CoinHold, Evidence, Payout
from wallets.paying.again import PayoutCannotBeAskedAgain, ask_again, follow_dead_ends


@pytest.fixture(autouse=True)
def _site(db: None, keys: None) -> None:
    ChainState.objects.create(code="litecoin", height=TIP)


@pytest.fixture
def node() -> FakeChain:
    return FakeChain("litecoin", now=lambda: NOW)


def freed() -> Payout:
    """A payout whose nonce was used up and is final: the customer is still owed 1000."""
    row = payout(pays=False)
    finish()
    row.refresh_from_db()
    assert (row.state, row.problem) == (states.REVERTED, NONCE_USED_UP)
    return row


def orphan(node: FakeChain, *, height: int = TIP - 1, **fields: Any) -> Payout:
    """A payout on the change of an attempt that another one of the same payout, mined in this block, took the place of."""
    coin = make_coin("parent", 10_000)
    parent = make_payout(state=fields.pop("parent_state", states.CONFIRMED))
    first = make_attempt(parent, raw_spending((coin.txid, 0)), 1)
    second = make_attempt(parent, raw_spending((coin.txid, 0), pays=900), 2, block_height=height)
    Coin.objects.filter(pk=coin.pk).update(spent_txid=second.txid, spent_height=height)
    change = make_coin("", 5_000, txid=first.txid, attempt=first, vout=1)
    child = make_payout(state=fields.pop("state", states.BROADCAST))
    CoinHold.objects.create(chain="litecoin", txid=change.txid, vout=1, payout=child)
    make_attempt(child, raw_spending((change.txid, 1)), **fields)
    return child


def test_the_same_debt_is_asked_for_anew_and_reserved_anew() -> None:
    old = freed()
    spare = get_balance(kind="chain:spendable", asset=old.asset).minor
    fresh = ask_again(payout_id=old.pk, at=NOW, by="ann", because="the customer called")
    assert fresh.purpose == f"{old.purpose}/2"
    assert (fresh.state, fresh.address, fresh.amount_minor) == (states.REQUESTED, old.address, old.amount_minor)
    assert (fresh.fee_cap_minor, fresh.funded_by, fresh.owner_ref) == (old.fee_cap_minor, old.funded_by, old.owner_ref)
    assert get_balance(kind="chain:reserved", asset=old.asset).minor == 1500
    assert get_balance(kind="chain:spendable", asset=old.asset).minor == spare - 1500
    seen = Evidence.objects.get(payout=old)
    assert (seen.by, seen.code, seen.at) == ("ann", "asked_again", NOW)
    assert seen.words == f"{fresh.purpose}: the customer called"
    with pytest.raises(PayoutCannotBeAskedAgain, match="taken its place"):
        ask_again(payout_id=old.pk, at=NOW, by="ann", because="twice")


@pytest.mark.parametrize(
    "state", [states.REQUESTED, states.SIGNED, states.BROADCAST, states.IN_DOUBT, states.CONFIRMED, states.REJECTED]
)
def test_only_what_the_chain_took_and_failed_is_asked_for_again(state: str) -> None:
    with pytest.raises(PayoutCannotBeAskedAgain, match="not one that the chain took and failed"):
        ask_again(payout_id=make_payout(state=state).pk, at=NOW, by="ann", because="x")


def spend_all_but(minor: int, row: Payout) -> None:
    spare = get_balance(kind="chain:spendable", asset=row.asset)
    rest = spare - Money(minor, row.asset)
    with transaction.atomic():
        post_entries([NewEntry("gone", "capital", NOW, (Leg("chain:spendable", -rest), Leg("capital", rest)))])


@pytest.mark.parametrize(("spare", "asked"), [(1499, 0), (1500, 1), (1501, 1)])
def test_it_waits_by_its_name_until_the_coins_are_there(node: FakeChain, spare: int, asked: int) -> None:
    old = freed()
    spend_all_but(spare, old)
    assert follow_dead_ends(node=node, at=NOW) == asked
    old.refresh_from_db()
    assert old.problem == ("nonce_used_up: asked for again" if asked else NONCE_USED_UP)
    assert Payout.objects.filter(state=states.REQUESTED).count() == asked
    if not asked:
        with pytest.raises(InsufficientFunds):
            ask_again(payout_id=old.pk, at=NOW, by="ann", because="x")
    assert follow_dead_ends(node=node, at=NOW) == 0


def test_one_that_cannot_be_asked_for_says_why_and_is_not_tried_again(node: FakeChain) -> None:
    old = freed()
    make_payout(purpose=f"{old.purpose}/2", owner_ref=old.owner_ref)
    assert follow_dead_ends(node=node, at=NOW) == 0
    old.refresh_from_db()
    assert old.problem.startswith("nonce_used_up: ")
    assert "taken its place" in old.problem


def test_both_kinds_are_counted_together(node: FakeChain) -> None:
    assert follow_dead_ends(node=node, at=NOW) == 0
    freed()
    child = orphan(node)
    assert follow_dead_ends(node=node, at=NOW) == 2
    child.refresh_from_db()
    assert child.state == states.REQUESTED
    assert follow_dead_ends(node=node, at=NOW) == 0


ORPHANS: list[tuple[str, dict[str, Any], int]] = [
    ("on its way", {}, 1),
    ("signed", {"state": states.SIGNED}, 1),
    ("the replacement is not final", {"height": TIP}, 0),
    ("the parent was signed anew", {"parent_state": states.REQUESTED}, 1),
    ("the parent failed", {"parent_state": states.REVERTED}, 1),
    ("the parent may still change", {"parent_state": states.BROADCAST}, 0),
    ("mined all the same", {"block_height": TIP}, 0),
    ("over", {"state": states.CONFIRMED}, 0),
    ("in doubt", {"state": states.IN_DOUBT}, 0),
]


@pytest.mark.parametrize(("name", "fields", "reopened"), ORPHANS, ids=[case[0] for case in ORPHANS])
def test_what_was_built_on_change_that_will_never_be(
    node: FakeChain, name: str, fields: dict[str, Any], reopened: int
) -> None:
    orphan(node, **fields)
    assert follow_dead_ends(node=node, at=NOW + timedelta(minutes=1)) == reopened


def test_a_node_that_does_not_answer_changes_nothing(node: FakeChain) -> None:
    child = orphan(node)
    node.down = True
    assert follow_dead_ends(node=node, at=NOW) == 0
    child.refresh_from_db()
    assert child.state == states.BROADCAST
    node.down = False
    assert follow_dead_ends(node=node, at=NOW) == 1


def test_a_free_coin_of_nobodys_change_orphans_nothing(node: FakeChain) -> None:
    coin = make_coin("free")
    row = make_payout(state=states.BROADCAST)
    CoinHold.objects.create(chain="litecoin", txid=coin.txid, vout=0, payout=row)
    make_attempt(row, raw_spending((txid_of("free"), 0)))
    assert follow_dead_ends(node=node, at=NOW) == 0
