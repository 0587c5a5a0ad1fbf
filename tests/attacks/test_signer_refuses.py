"""What SQL could not refuse, the signer does: each forged or doubtful fact leaves the payout unsigned, by its code."""

from collections.abc import Callable

import pytest
from django.conf import LazySettings

from core import clock
from orders.credit import follow_deposits
from orders.payout import request_payouts
from tests.simulated import CUSTOMERS, SimulatedExchange
from wallets import states
from wallets.addresses import derive
from wallets.models import Address, Attempt, ChainState, CoinHold, Deposit, NonceHold, Payout
from wallets.sign import sign_payouts
from wallets.signer import journal

LATER = 10**6  # an index that no order was given yet
Forge = Callable[[SimulatedExchange, Payout, LazySettings], None]


def forge_key(site: SimulatedExchange, payout: Payout, settings: LazySettings) -> None:
    """The deposit's address is one that our key does not make."""
    settings.ACCOUNT_KEYS = {**settings.ACCOUNT_KEYS, "litecoin": CUSTOMERS}


def crash_price(site: SimulatedExchange, payout: Payout, settings: LazySettings) -> None:
    """The order promises far more than its deposit is worth: what a forged rate looks like."""
    site.price(ltc="60")


def own_target(site: SimulatedExchange, payout: Payout, settings: LazySettings) -> None:
    Address.objects.create(
        chain="ethereum", address=payout.address, account=0, branch=0, index=LATER, owner_ref="x", created_at=site.now()
    )


def undo_credit(site: SimulatedExchange, payout: Payout, settings: LazySettings) -> None:
    Deposit.objects.filter(pk__in=payout.funded_by).update(disposition="", reason="")


def forge_depth(site: SimulatedExchange, payout: Payout, settings: LazySettings) -> None:
    """Somebody called the deposit confirmed in a block that is not deep enough."""
    Deposit.objects.filter(pk__in=payout.funded_by).update(
        block_height=ChainState.objects.filter(code="litecoin").values("height")[:1]
    )


def lower(name: str) -> Forge:
    def forge(site: SimulatedExchange, payout: Payout, settings: LazySettings) -> None:
        most = payout.amount_minor + payout.fee_cap_minor - 1
        tight = {**settings.CEILINGS["ethereum"], name: f"0.{most:018d}"}
        settings.CEILINGS = {**settings.CEILINGS, "ethereum": tight}

    return forge


CASES: list[tuple[Forge, str]] = [
    (forge_key, "address_forged"),
    (crash_price, "above_price"),
    (own_target, "target_is_ours"),
    (undo_credit, "no_facts"),
    (forge_depth, "funding_unconfirmed"),
    (lower("payout"), "ceiling"),
    (lower("hour"), "ceiling"),
    (lower("day"), "ceiling"),
    (lower("funded_hour"), "ceiling"),
]


@pytest.fixture
def payout(simulated: SimulatedExchange) -> Payout:
    """A payout in ether that is asked for and waits to be signed."""
    target = derive(chain="ethereum", branch=0, index=LATER)  # nobody knows it for ours while it has no row
    order = simulated.open(send="1", payout_address=target).order
    simulated.pay(order)
    simulated.litecoin.mine(4)
    simulated.scan("litecoin")
    follow_deposits(chain="litecoin", at=simulated.now())
    assert request_payouts(asset="ETH", at=simulated.now()) == 1
    return Payout.objects.get(owner_ref=order.reference)


def sign(site: SimulatedExchange) -> int:
    Payout.objects.update(tried_at=None)
    return sign_payouts(node=site.client_of("ethereum"), at=site.now())


@pytest.mark.parametrize(("forge", "code"), CASES, ids=[f"{code}-{n}" for n, (_, code) in enumerate(CASES)])
def test_a_payout_with_one_thing_wrong_is_not_signed(simulated, payout, settings, forge: Forge, code: str) -> None:
    forge(simulated, payout, settings)

    assert sign(simulated) == 0
    payout.refresh_from_db()
    assert (payout.state, payout.problem.partition(":")[0]) == (states.REQUESTED, code)
    assert not Attempt.objects.exists()
    assert not CoinHold.objects.exists()
    assert not NonceHold.objects.exists()
    assert journal.read_recent("ethereum", at=clock.now()) == []
    if code == "no_facts":
        Deposit.objects.filter(pk__in=payout.funded_by).update(disposition="CREDIT")  # for the fixture's own last look


def test_the_same_payout_is_signed_when_nothing_is_wrong(simulated, payout, settings) -> None:
    """And at a ceiling, to the unit."""
    most = payout.amount_minor + payout.fee_cap_minor
    settings.CEILINGS = {"ethereum": dict.fromkeys(("payout", "hour", "day", "funded_hour"), f"0.{most:018d}")}

    assert sign(simulated) == 1
    assert [line.minor for line in journal.read_recent("ethereum", at=clock.now())] == [most]
