"""wallets.signer.checks as tables: each figure that the signer proves for itself at its edge, one unit below and one above."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings

from core.assets import get_asset
from core.money import Money
from ledger.post import post_entries
from ledger.reserve import release_entry
from tests.orders.conftest import NOW
from tests.wallets.signer.conftest import Want
from tests.wallets.test_stuck_payouts import GWEI
from ticker.models import MarketState
from wallets.addresses import derive, house_text
from wallets.chains.fees import FEE_BOUNDS
from wallets.models import Address, ChainState, Deposit, Payout
from wallets.signer import journal
from wallets.signer.checks import check_outbid, check_payout
from wallets.signer.keys import SignerRefused

ETHER = 10**18
Change = Callable[[Payout, list[Deposit]], Any]


@pytest.fixture
def wanted(want: Want) -> tuple[Payout, list[Deposit]]:
    """A payout of 0.0627 ether or so that is asked for, against 2 LTC that are credited; nothing is wrong with it."""
    payout = want("ethereum")
    return payout, list(Deposit.objects.select_related("asset", "address"))


def said(payout: Payout, funding: list[Deposit]) -> str:
    """Return the code of the refusal, or nothing."""
    try:
        check_payout(payout, funding)
    except SignerRefused as refusal:
        return refusal.code
    return ""


def put(name: str, value: object, row: str = "") -> Change:
    """Write a value into the payout, or into its deposit or the deposit's address, as somebody's UPDATE would."""

    def change(payout: Payout, funding: list[Deposit]) -> None:
        target: Any = {"": payout, "deposit": funding[0], "address": funding[0].address}[row]
        setattr(target, name, value)

    return change


def stand_at(branch: int, index: int) -> Change:
    """Let the deposit be on the address that our key makes there."""

    def change(_payout: Payout, funding: list[Deposit]) -> None:
        address = funding[0].address
        address.branch, address.index = branch, index
        address.address = derive(chain="litecoin", branch=branch, index=index)

    return change


def read_up_to(height: int) -> Change:
    return lambda _payout, _funding: ChainState.objects.filter(code="litecoin").update(height=height)


def prices(ltc: tuple[str, str], eth: tuple[str, str]) -> Change:
    def change(_payout: Payout, _funding: list[Deposit]) -> None:
        for market, (bid, ask) in (("LTC-USD", ltc), ("ETH-USD", eth)):
            MarketState.objects.filter(market_id=market).update(bid=Decimal(bid), ask=Decimal(ask))

    return change


def no_price(market: str) -> Change:
    return lambda _payout, _funding: MarketState.objects.filter(market_id=market).update(
        bid=None, ask=None, rate_at=None
    )


def both(*changes: Change) -> Change:
    return lambda payout, funding: [change(payout, funding) for change in changes]


def pay_wei(minor: int) -> Change:
    return put("amount_minor", minor)


# The deposit is in block 9 and needs 3: 9, 10 and 11. It is of 2 LTC at 80 dollars, so worth 0.064 ETH at 2500.
MOST_FEE = 2_000 * GWEI * 60_000 * 2  # the bound of the network, for the dearest payout, twice
WORTH = 64 * ETHER // 1000
CASES: list[tuple[str, Change, str]] = [
    ("as it is", lambda _payout, _funding: None, ""),
    # --- depth
    ("one block short", read_up_to(9), "funding_unconfirmed"),
    ("deep enough", read_up_to(10), ""),
    ("one block more", read_up_to(11), ""),
    ("in no block", put("block_height", None, "deposit"), "funding_unconfirmed"),
    # --- whose it is
    ("a deposit of another order", put("owner_ref", "OTHER", "deposit"), "deposit_of_another"),
    ("an address of another order", put("owner_ref", "OTHER", "address"), "deposit_of_another"),
    ("an address on another chain", put("chain", "ethereum", "address"), "deposit_of_another"),
    ("a coin of another network", lambda _p, f: setattr(f[0], "asset", get_asset("BTC")), "deposit_of_another"),
    ("the house's own address", stand_at(1, 0), "address_forged"),
    ("an address after a restored backup", stand_at(2, 5), ""),
    ("another place of our key", put("index", 77, "address"), "address_forged"),
    ("another branch of our key", put("branch", 2, "address"), "address_forged"),
    ("no deposit at all", put("funded_by", []), "no_funding"),
    # --- what it may cost
    ("a fee cap at twice the bound", put("fee_cap_minor", MOST_FEE), ""),
    ("a fee cap one wei above it", put("fee_cap_minor", MOST_FEE + 1), "fee_cap"),
    # --- what its deposits are worth
    ("15 % above the price", pay_wei(WORTH * 115 // 100), ""),
    ("one wei above that", pay_wei(WORTH * 115 // 100 + 1), "above_price"),
    ("one wei below that", pay_wei(WORTH * 115 // 100 - 1), ""),
    (
        "the price is the middle of bid and ask",
        both(prices(("70", "90"), ("2000", "3000")), pay_wei(WORTH * 115 // 100)),
        "",
    ),
    (
        "and not a wei more than that",
        both(prices(("70", "90"), ("2000", "3000")), pay_wei(WORTH * 115 // 100 + 1)),
        "above_price",
    ),
    ("litecoin without a price yet", no_price("LTC-USD"), "price_unknown"),
    ("ether without a price yet", no_price("ETH-USD"), "price_unknown"),
    ("no market at all", lambda _payout, _funding: MarketState.objects.all().delete(), "price_unknown"),
    # --- where it goes
    ("no address", put("address", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"), "target_invalid"),
    ("an address of litecoin", put("address", "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3"), "target_invalid"),
    ("litecoin for litecoin", lambda p, _f: setattr(p, "asset_id", "LTC"), "same_asset"),
]


@pytest.mark.parametrize(("name", "change", "code"), CASES, ids=[case[0] for case in CASES])
def test_a_payout_at_the_edge_of_each_rule(wanted, name: str, change: Change, code: str) -> None:
    payout, funding = wanted
    change(payout, funding)
    assert said(payout, funding) == code


def test_all_deposits_of_an_order_count_together(wanted) -> None:
    """Two of 2 LTC are worth what one of 4 is, and not a wei more."""
    payout, (deposit,) = wanted
    payout.amount_minor = 2 * WORTH * 115 // 100
    assert said(payout, [deposit]) == "above_price"
    assert said(payout, [deposit, deposit]) == ""
    payout.amount_minor += 1
    assert said(payout, [deposit, deposit]) == "above_price"


def test_each_deposit_is_looked_at(wanted) -> None:
    payout, (deposit,) = wanted
    other = Deposit.objects.select_related("asset", "address").get(pk=deposit.pk)
    other.block_height = 10**6
    assert said(payout, [deposit, other]) == "funding_unconfirmed"


def test_nothing_is_paid_without_the_key_that_its_deposit_is_proven_by(wanted, settings: LazySettings) -> None:
    payout, funding = wanted
    settings.ACCOUNT_KEYS = {**settings.ACCOUNT_KEYS, "litecoin": ""}
    assert said(payout, funding) == "address_forged"


def test_what_a_person_approved_may_be_above_the_price_and_above_the_ceiling(wanted, settings: LazySettings) -> None:
    payout, funding = wanted
    payout.amount_minor = 2 * WORTH
    assert said(payout, funding) == "above_price"
    fields = (payout.pk, payout.purpose, payout.address, payout.amount_minor + payout.fee_cap_minor)
    journal.append("ethereum", journal.Line(NOW, journal.APPROVED, *fields))
    settings.CEILINGS = {"ethereum": dict.fromkeys(("payout", "hour", "day", "funded_hour"), "0")}
    assert said(payout, funding) == ""


def test_what_is_written_down_is_the_most_that_may_leave_and_whose_deposits_paid(wanted) -> None:
    payout, funding = wanted
    line = check_payout(payout, [*funding, *funding])
    assert (line.at, line.what, line.payout, line.purpose) == (NOW, "signed", payout.pk, payout.purpose)
    assert (line.address, line.minor) == (payout.address, payout.amount_minor + payout.fee_cap_minor)
    assert line.funding == ("litecoin",)


def test_what_the_books_call_over_is_not_paid_again(wanted) -> None:
    payout, funding = wanted
    post_entries([release_entry(purpose=payout.purpose, reserved=Money(payout.reserved_minor, payout.asset), at=NOW)])
    assert said(payout, funding) == "reservation_closed"


# The address of the payout, and whether it is ours: a row of ours counts only where our key makes its address.
TARGETS: list[tuple[str, str, str, int, str]] = [
    ("the house's own, with no row", "house", "", 0, "target_is_ours"),
    ("a deposit address, with its row", "ours", "ours", 5, "target_is_ours"),
    ("a deposit address, in lower case", "ours in lower case", "ours", 5, "target_is_ours"),
    ("a customer's own that a forged row calls ours", "theirs", "theirs", 5, ""),
]


@pytest.mark.parametrize(("name", "target", "row", "index", "code"), TARGETS, ids=[case[0] for case in TARGETS])
def test_nothing_is_paid_to_ourselves(wanted, name: str, target: str, row: str, index: int, code: str) -> None:
    payout, funding = wanted
    texts = {"house": house_text("ethereum"), "ours": derive(chain="ethereum", branch=0, index=index)}
    texts |= {"ours in lower case": texts["ours"].lower(), "theirs": payout.address}
    payout.address = texts[target]
    if row:
        Address.objects.create(
            chain="ethereum", address=texts[row], account=0, branch=0, index=index, created_at=NOW, owner_ref="x"
        )
    assert said(payout, funding) == code


def test_a_refund_is_bound_by_its_deposit_and_not_by_a_price(wanted) -> None:
    """Litecoin goes back for litecoin, whatever it costs in dollars; the facts say how much."""
    payout, funding = wanted
    payout.purpose = "deposit:7:refund"
    MarketState.objects.all().delete()
    payout.amount_minor = 10 * WORTH
    assert said(payout, funding) == ""


@pytest.mark.parametrize(("above", "code"), [(-1, ""), (0, ""), (1, "fee_cap")])
def test_an_outbid_keeps_to_the_cap_and_the_target_of_the_first(wanted, above: int, code: str) -> None:
    payout, _funding = wanted
    payout.fee_cap_minor = FEE_BOUNDS["ethereum"].most * payout.asset.payout_units * 2 + above
    if code:
        with pytest.raises(SignerRefused) as refused:
            check_outbid(payout)
        assert refused.value.code == code
        return
    check_outbid(payout)
    payout.address = house_text("ethereum")
    with pytest.raises(SignerRefused, match="ours"):
        check_outbid(payout)
