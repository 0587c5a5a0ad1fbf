"""What a signer lets go at the most, whoever was stolen: no order pays beyond its worth, no debt is paid past the ceilings."""

import re
import uuid

import pytest
from django.conf import LazySettings
from django.db.models import F

from core import clock
from core.money import Money
from orders.credit import follow_deposits
from orders.models import Order
from orders.payout import request_payouts
from tests.addresses import take_address
from tests.simulated import SimulatedExchange
from tests.sources import ROOT
from tests.wallets.test_stuck_payouts import payout_of, want_payout
from wallets.models import Attempt, Coin, CoinHold, NonceHold, Payout
from wallets.paying.advice import gather_advice
from wallets.paying.signing import request_signature
from wallets.sign import sign_payouts
from wallets.signer import journal
from wallets.signer.advice import Outcome
from wallets.signer.lane import self_transfer_cap

LTC = 10**8


def forge_order(site: SimulatedExchange, **terms: object) -> Order:
    """Insert an order with terms of the thief's own, and a true address of ours for it: what the role of web may write."""
    honest = site.open(send="1").order
    forged = Order.objects.get(pk=honest.pk)
    forged.pk, forged.reference, forged.quote_id = None, "OFORGED0000000001", uuid.uuid4()
    forged.deposit_address = take_address(chain="litecoin", owner_ref=forged.reference, at=site.now()).address
    for name, value in terms.items():
        setattr(forged, name, value)
    forged.save(force_insert=True)
    return forged


def ask(site: SimulatedExchange, order: Order, asset: str) -> Payout:
    """Pay an order and let the site ask for its payout."""
    site.pay(order)
    site.litecoin.mine(4)
    site.scan("litecoin")
    follow_deposits(chain="litecoin", at=site.now())
    assert request_payouts(asset=asset, at=site.now()) == 1
    return Payout.objects.select_related("asset").get(owner_ref=order.reference)


@pytest.mark.parametrize("get", [LTC // 2, 19 * LTC])
def test_an_order_for_the_very_coin_that_it_sends_is_not_signed(simulated: SimulatedExchange, get: int) -> None:
    """From litecoin to litecoin: it was taken for a refund, which the facts bind by the deposit, and was none."""
    order = forge_order(
        simulated,
        pair="LTCLTC",
        get_asset_id="LTC",
        get_minor=get,
        rate="0.05",
        fee_minor=0,
        network_fee_minor=0,
        fee_cap_minor=100_000,
        payout_address=simulated.litecoin.new_address(),
    )
    payout = ask(simulated, order, "LTC")

    assert sign_payouts(node=simulated.client_of("litecoin"), at=simulated.now()) == 0
    payout.refresh_from_db()
    assert payout.problem.partition(":")[0] == "same_asset"


def call_dead(payout: Payout) -> None:
    """Write that the coins and the nonce of a payout are spent elsewhere, as the role of its network's worker may."""
    held = CoinHold.objects.filter(payout=payout).values("txid")
    Coin.objects.filter(chain=payout.chain, txid__in=held).update(spent_txid="ab" * 32, spent_height=1)
    NonceHold.objects.filter(payout=payout).update(spent_txid="0x" + "ab" * 32, spent_height=1)


def request(site: SimulatedExchange, action: str, payout: Payout, **lies: int) -> Outcome:
    """Ask the signer as whoever holds the worker's socket can."""
    advice = gather_advice(site.client_of(payout.chain), at=site.now(), by="ann", because="a thief says so")
    fields = advice.as_json() | {"gas": 21_000} | lies
    return request_signature(action=action, payout_id=payout.pk, advice=type(advice).from_json(fields))


@pytest.mark.parametrize("chain", ["litecoin", "ethereum"])
def test_a_payout_that_is_called_dead_again_and_again_stops_at_the_ceiling(
    simulated: SimulatedExchange, settings: LazySettings, chain: str
) -> None:
    """Rows say what died, and rows are the worker's to write: so each new signature counts, whatever it is said to replace."""
    simulated.fund("litecoin", LTC, times=6)
    payout = payout_of(want_payout(simulated, chain))
    most = payout.amount_minor + payout.fee_cap_minor
    wide = Money(3 * most, payout.asset).format()
    settings.CEILINGS = {payout.chain: dict.fromkeys(("payout", "hour", "day", "funded_hour"), wide)}

    codes = []
    for _ in range(3):
        call_dead(payout)
        assert request(simulated, "reopen", payout).code == "reopened"
        codes.append(request(simulated, "pay", payout).code)

    assert codes == ["", "", "ceiling"]
    assert Attempt.objects.filter(payout=payout).count() == 3


def test_an_outbid_that_would_pay_a_second_time_is_refused(simulated: SimulatedExchange) -> None:
    """Its coins were called void: what is signed from other coins replaces nothing."""
    simulated.fund("litecoin", LTC, times=3)
    payout = payout_of(want_payout(simulated, "litecoin"))
    held = CoinHold.objects.filter(payout=payout).values("txid")
    Coin.objects.filter(chain="litecoin", txid__in=held).update(void_txid="ab" * 32, void_height=F("id"))

    assert request(simulated, "outbid", payout).code == "no_conflict"
    assert Attempt.objects.filter(payout=payout).count() == 1


def test_the_runbook_says_what_to_do_about_each_refusal() -> None:
    """Whoever reads a code in Payout.problem finds it there; a signer's own checks and its outbids."""
    sources = [ROOT / "wallets" / "signer" / name for name in ("checks.py", "outbid.py", "lane.py")]
    refusals = [part.partition("\n\n")[0] for path in sources for part in path.read_text().split("SignerRefused(")[1:]]
    codes = {found[1] for refusal in refusals if (found := re.search(r'code="(\w+)"', refusal))}
    assert {"no_facts", "same_asset", "no_conflict", "lane_over_cap", "price_unknown"} <= codes
    runbook = (ROOT / "docs" / "RUNBOOK.md").read_text()
    assert {code for code in codes if f"`{code}`" not in runbook} == set()


def test_what_using_up_a_nonce_costs_counts_against_the_ceilings(
    simulated: SimulatedExchange, settings: LazySettings
) -> None:
    """It did not: small payments, called dead again and again, burned 0.042 ether each beside what was counted."""
    payout = payout_of(want_payout(simulated, "ethereum"))
    cost, pays = self_transfer_cap("ethereum"), payout.amount_minor + payout.fee_cap_minor
    storm = {"gas": 21_000, "base_minor": 500 * 10**9, "priority_minor": 10**9}

    def use_up(left: int) -> str:
        signed = sum(line.minor for line in journal.read_recent("ethereum", at=clock.now()))
        wide = Money(signed + left, payout.asset).format()
        settings.CEILINGS = {"ethereum": dict.fromkeys(("payout", "hour", "day", "funded_hour"), wide)}
        return request(simulated, "outbid", payout, **storm).code

    assert use_up(left=cost - 1) == "lane_ceiling"
    assert use_up(left=cost) == ""
    assert use_up(left=0) == "", "a further bid for the same nonce: only one of them is ever mined"
    lines = [line.minor for line in journal.read_recent("ethereum", at=clock.now())]
    assert lines == [pays, cost]

    call_dead(payout)
    assert request(simulated, "reopen", payout).code == "reopened"
    assert use_up(left=pays) == "not_sent"
    assert request(simulated, "pay", payout).code == ""
    assert use_up(left=cost - 1) == "lane_ceiling"
