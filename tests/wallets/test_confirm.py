"""wallets.confirm as rows: at which depth a deposit counts and a payout is over, and what each leaves in the books."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from core.assets import get_asset
from core.money import Money
from ledger.balances import get_balance
from ledger.post import Leg, NewEntry, post_entries
from ledger.reserve import reserve_entry
from tests.wallets.signer.rows import NOW, make_attempt, make_payout, raw_numbered, raw_spending, txid_of
from wallets import states
from wallets.addresses import derive, house_address
from wallets.confirm import NONCE_USED_UP, REVERTED, confirm_deposits, confirm_payouts
from wallets.models import Address, Attempt, Coin, Deposit, Payout

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("accounts")]
TIP = 100  # Litecoin wants two confirmations in the demo, ether three


def address(index: int = 3, text: str = "", chain: str = "litecoin") -> Address:
    text = text or derive(chain=chain, branch=0, index=index)
    return Address.objects.create(
        chain=chain, address=text, account=0, branch=0, index=index, owner_ref=f"O{index}", created_at=NOW
    )


def deposit(chain: str = "litecoin", **fields: Any) -> Deposit:
    where = fields.pop("address", None) or address(chain=chain)
    defaults = {
        "txid": txid_of("deposit"),
        "position": "1" if chain == "litecoin" else "native",
        "asset": get_asset("LTC" if chain == "litecoin" else "ETH"),
        "owner_ref": where.owner_ref,
        "amount_minor": 5000,
        "state": states.SEEN,
        "first_seen_at": NOW,
        "block_height": TIP - 1,
        "news": False,
    }
    return Deposit.objects.create(chain=chain, address=where, **(defaults | fields))


def confirm(chain: str = "litecoin", *, block_at: timedelta = timedelta(0), careful: bool = False) -> list[str]:
    """Confirm what is deep enough at TIP; return the references of what is to be booked."""
    asset = get_asset("LTC" if chain == "litecoin" else "ETH")
    with transaction.atomic():
        entries = confirm_deposits(
            chain=chain, asset=asset, height=TIP, block_at=NOW + block_at, at=NOW, careful=careful
        )
        post_entries(entries)
    return [entry.reference for entry in entries]


# chain, block of the deposit, whether it is confirmed when TIP has been read
DEPTHS = [
    ("litecoin", TIP - 2, True),
    ("litecoin", TIP - 1, True),
    ("litecoin", TIP, False),
    ("ethereum", TIP - 3, True),
    ("ethereum", TIP - 2, True),
    ("ethereum", TIP - 1, False),
]


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize(("chain", "height", "counts"), DEPTHS)
def test_a_deposit_counts_at_its_depth(chain: str, height: int, counts: bool, careful: bool) -> None:
    row = deposit(chain, block_height=height)
    booked = confirm(chain, careful=careful)
    row.refresh_from_db()
    assert (row.state == states.CONFIRMED, row.news) == (counts, counts)
    assert booked == ([f"deposit:{row.pk}"] if counts and not careful else [])
    asset = row.asset
    kind = "chain:spendable" if chain == "litecoin" else "chain:unswept"
    assert get_balance(kind=kind, asset=asset).minor == (5000 if counts else 0)
    assert get_balance(kind="customer", asset=asset, owner=row.owner_ref).minor == (-5000 if counts else 0)
    assert Coin.objects.exists() is (counts and chain == "litecoin")


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"block_height": None}, False),
        ({"state": states.REMOVED}, False),
        ({"chain": "litecoin"}, True),
    ],
)
def test_only_what_was_seen_in_a_block_counts(fields: dict[str, Any], counts: bool) -> None:
    fields.pop("chain", None)
    deposit(**fields)
    assert bool(confirm()) is counts


@pytest.mark.parametrize(("block_at", "confirmed"), [(-60, -60), (0, 0), (60, 0)])
def test_the_blocks_own_time_counts_and_never_one_ahead(block_at: int, confirmed: int) -> None:
    row = deposit()
    confirm(block_at=timedelta(seconds=block_at))
    row.refresh_from_db()
    assert row.confirmed_at == NOW + timedelta(seconds=confirmed)


def test_the_first_confirmation_is_the_one_that_counts() -> None:
    earlier = NOW - timedelta(hours=3)
    row = deposit(confirmed_at=earlier)
    confirm()
    row.refresh_from_db()
    assert row.confirmed_at == earlier


@pytest.mark.parametrize("derived", [True, False])
def test_its_coin_is_ours_to_spend_where_our_key_makes_its_address(derived: bool) -> None:
    row = deposit(address=address(text="" if derived else "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3"))
    confirm()
    coin = Coin.objects.get()
    assert (coin.chain, coin.txid, coin.vout, coin.amount_minor) == ("litecoin", row.txid, 1, 5000)
    assert (coin.deposit, coin.address, coin.usable) == (row, row.address, derived)


def test_what_was_mined_again_takes_its_reversal_back_and_is_booked_once() -> None:
    row = deposit()
    confirm()
    amount = Money(5000, row.asset)
    gone = NewEntry(f"reorg:{row.pk}:1", "x", NOW, (Leg("receivable:reorg", amount), Leg("chain:missing", -amount)))
    post_entries([gone])
    Deposit.objects.filter(pk=row.pk).update(state=states.SEEN, reorg_count=1, news=False)
    Coin.objects.update(usable=False)

    assert confirm() == []
    row.refresh_from_db()
    assert (row.state, row.news) == (states.CONFIRMED, True)
    assert Coin.objects.get().usable
    assert get_balance(kind="receivable:reorg", asset=row.asset).minor == 0
    assert get_balance(kind="chain:spendable", asset=row.asset).minor == 5000


def test_the_very_first_row_is_confirmed_too() -> None:
    row = deposit(pk=1)
    assert confirm() == [f"deposit:{row.pk}"] == ["deposit:1"]


def test_many_deposits_of_one_block_are_all_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallets.confirm.WRITTEN", 2)
    rows = [deposit(address=address(number), txid=txid_of(f"d{number}")) for number in range(5)]
    assert confirm() == [f"deposit:{row.pk}" for row in rows]


# --- payouts -------------------------------------------------------------------------------------------------------


def payout(state: str = states.BROADCAST, *, height: int = TIP - 1, **fields: Any) -> Payout:
    """A payout of 1000 with a cap of 500, reserved in the books; its attempt is mined."""
    row = make_payout(state=state, reorg_count=fields.pop("reorg_count", 0), problem="fee_refused: x")
    with transaction.atomic():
        asset = row.asset
        stock = Money(10_000, asset)
        owed = Money(1000, asset)
        legs = (Leg("chain:spendable", stock), Leg("capital", owed - stock), Leg("customer", -owed, row.owner_ref))
        post_entries([NewEntry("stock", "capital", NOW, legs)])
        post_entries([reserve_entry(purpose=row.purpose, amount=Money(1500, asset), at=NOW)])
    make_attempt(row, raw_spending((txid_of("x"), 0)), **({"block_height": height, "fee_minor": 300} | fields))
    return row


def finish(*, careful: bool = False) -> int:
    with transaction.atomic():
        asset = get_asset("LTC")
        entries = confirm_payouts(chain="litecoin", asset=asset, height=TIP, at=NOW, careful=careful)
        post_entries(entries)
    return len(entries)


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize(("height", "over"), [(TIP - 2, True), (TIP - 1, True), (TIP, False)])
def test_a_payout_is_over_at_its_depth(height: int, over: bool, careful: bool) -> None:
    row = payout(height=height)
    assert finish(careful=careful) == (over and not careful)
    row.refresh_from_db()
    assert (row.state == states.CONFIRMED, row.news) == (over, over)
    asset = row.asset
    assert get_balance(kind="chain:reserved", asset=asset).minor == (0 if over else 1500)
    assert get_balance(kind="chain:spendable", asset=asset).minor == (8_700 if over else 8_500)
    if over:
        assert (row.problem, row.fee_minor, row.confirmed_at, row.block_height) == ("", 300, NOW, height)
        assert row.txid == row.attempts.get().txid
        assert get_balance(kind="customer", asset=asset, owner=row.owner_ref).minor == 0


# state of the payout, what its attempt says; its state afterwards, its fee, what the customer is owed, its problem, news
ENDS: list[tuple[str, dict[str, Any], str, int | None, int, str, bool]] = [
    (states.SIGNED, {}, states.CONFIRMED, 300, 0, "", True),
    (states.IN_DOUBT, {}, states.CONFIRMED, 300, 0, "", True),
    (states.BROADCAST, {"mined_fee_minor": 200}, states.CONFIRMED, 200, 0, "", True),
    (states.BROADCAST, {"mined_fee_minor": 0}, states.CONFIRMED, 0, 0, "", True),
    (states.BROADCAST, {"reverted": True, "mined_fee_minor": 200}, states.REVERTED, 200, 1000, REVERTED, True),
    (states.BROADCAST, {"pays": False, "mined_fee_minor": 200}, states.REVERTED, 200, 1000, NONCE_USED_UP, False),
    (states.BROADCAST, {"pays": False, "reverted": True}, states.REVERTED, 300, 1000, NONCE_USED_UP, False),
    (states.REQUESTED, {}, states.REQUESTED, None, 1000, "fee_refused: x", False),
    (states.REVERTED, {}, states.REVERTED, None, 1000, "fee_refused: x", False),
]


@pytest.mark.parametrize(("state", "fields", "after", "fee", "owed", "problem", "news"), ENDS)
def test_how_a_payout_ends(state, fields, after, fee, owed, problem, news) -> None:
    row = payout(state, **fields)
    finish()
    row.refresh_from_db()
    assert (row.state, row.fee_minor, row.problem, row.news) == (after, fee, problem, news)
    assert get_balance(kind="customer", asset=row.asset, owner=row.owner_ref).minor == -owed
    assert get_balance(kind="expense:network", asset=row.asset).minor == (fee or 0)


@pytest.mark.parametrize(("count", "reference"), [(0, ""), (1, ":1"), (2, ":2")])
def test_a_payment_that_lost_its_block_is_settled_anew_under_a_number(count: int, reference: str) -> None:
    row = payout(reorg_count=count)
    finish()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger_entry WHERE reference = %s", [f"close:{row.purpose}{reference}"])
        assert cursor.fetchone() == (1,)


def test_what_is_not_mined_or_on_another_chain_is_not_over() -> None:
    row = payout(height=TIP - 1, block_height=None)
    assert finish() == 0
    row.refresh_from_db()
    assert row.state == states.BROADCAST
    other = make_payout("ethereum", state=states.BROADCAST)
    make_attempt(other, raw_numbered(1), block_height=1)
    assert finish() == 0
    assert Attempt.objects.filter(block_height=1).exists()
    assert house_address(chain="litecoin", at=NOW).pk
