"""What the signer refuses: a fee over the cap, nonsense, and a payout whose deposit is not confirmed now; to the unit."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import override_settings

from orders.facts import read_facts
from orders.offer import find_pair
from orders.pauses import Reason, find_pauses
from tests.simulated import SimulatedExchange
from wallets import states
from wallets.models import Attempt, Deposit, Payout
from wallets.sign import sign_payouts
from wallets.signer.keys import SignerRefused, sign_nonce
from wallets.signer.server import serve

GAS, CAP = 21_000, 21_000 * 50


@pytest.mark.parametrize(
    ("max_fee", "tip", "amount", "signed"),
    [
        (50, 50, 1, True),  # the whole cap
        (51, 50, 1, False),
        (49, 49, 1, True),
        (50, 51, 1, False),  # a tip over the most that is offered
        (50, 0, 0, True),
        (50, 0, -1, False),
    ],
)
def test_a_payment_with_a_nonce_costs_at_most_its_cap(
    simulated: SimulatedExchange, max_fee: int, tip: int, amount: int, signed: bool
) -> None:
    def sign() -> int:
        return sign_nonce(
            chain="ethereum",
            chain_id=31337,
            nonce=0,
            address=simulated.ethereum.new_address(),
            amount_minor=amount,
            gas=GAS,
            max_fee_minor=max_fee,
            priority_minor=tip,
            fee_cap_minor=CAP,
        ).fee_minor

    if signed:
        assert sign() == GAS * max_fee
    else:
        with pytest.raises(SignerRefused):
            sign()


@pytest.mark.parametrize("pair", ["ETHLTC", "LTCETH"])
def test_a_payout_whose_deposit_is_gone_is_not_signed(
    simulated: SimulatedExchange, monkeypatch: pytest.MonkeyPatch, pair: str
) -> None:
    order = simulated.open(pair, "1" if pair == "ETHLTC" else "0.05").order
    simulated.pay(order)
    with monkeypatch.context() as patch:
        patch.setattr("tests.exchange.sign_payouts", lambda **_: 0)
        simulated.settle()
    assert Payout.objects.get().state == states.REQUESTED
    Deposit.objects.filter(owner_ref=order.reference).update(state=states.REMOVED, news=False)

    simulated.settle(2)

    assert not Attempt.objects.exists()
    Deposit.objects.filter(owner_ref=order.reference).update(state=states.CONFIRMED)
    simulated.settle()
    assert simulated.paid(order) == order.get_minor


@pytest.mark.parametrize(("signer", "code", "paused"), [("litecoin", "bad_request", True), ("", "fee_over_cap", False)])
def test_a_signer_that_answers_and_looks_at_nothing_pauses_what_it_should_pay(
    simulated: SimulatedExchange, settings: LazySettings, tmp_path: Path, signer: str, code: str, paused: bool
) -> None:
    """A worker that was told of another network's socket: it was answered, so its heartbeat went on, and so did the sale."""
    order = simulated.open("ETHLTC", "1").order
    simulated.pay(order)
    simulated.litecoin.mine(14)
    simulated.ethereum.charge(10**15)  # too dear for any payout: a refusal that is one of the payout itself
    simulated.tick()
    if signer:
        settings.KEY_FILE, settings.SIGNER_SOCKET = "", str(tmp_path / "socket")
        Payout.objects.update(tried_at=None)
        over, listens = threading.Event(), threading.Event()

        def go_on() -> bool:
            listens.set()
            return not over.is_set()

        thread = threading.Thread(target=serve, kwargs={"chain": signer, "path": tmp_path / "socket", "go_on": go_on})
        thread.start()
        assert listens.wait(20)
    try:
        assert sign_payouts(node=simulated.client_of("ethereum"), at=simulated.now()) == 0
    finally:
        if signer:
            over.set()
            thread.join(20)

    payout = Payout.objects.get(owner_ref=order.reference)
    assert payout.problem.partition(":")[0] == code
    facts, at = read_facts(), simulated.now() + timedelta(seconds=settings.UNSENT_LIMIT_S + 1)
    causes = {pause.reason for pause in find_pauses(find_pair("ETHLTC"), facts, at=at)}
    assert (Reason.PAYOUTS_WAITING in causes) is paused


def test_what_waits_for_a_person_is_told_once_and_goes_once_approved(
    simulated: SimulatedExchange, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CEILINGS = {**settings.CEILINGS, "ethereum": {**settings.CEILINGS["ethereum"], "payout": "0.000001"}}
    order = simulated.open("ETHLTC", "1").order
    simulated.pay(order)
    simulated.litecoin.mine(14)
    for _ in range(3):
        simulated.tick()
    payout = Payout.objects.get(owner_ref=order.reference)
    assert (payout.state, payout.problem.partition(":")[0]) == (states.REQUESTED, "ceiling")
    said = f"payout {payout.pk} waits for a person"
    assert [record.getMessage().startswith(said) for record in caplog.records if "waits for" in record.msg] == [True]

    approve = ("approve_payout", str(payout.pk), "--because", "the customer called")
    # Where that payout's signer reads nothing, an approval would be lost without a word.
    for lost in ({"DB_ROLE": "signer_litecoin"}, {"SIGNER_JOURNAL_DIR": "/dev/null/none"}):
        with override_settings(**lost), pytest.raises(CommandError, match="run this in signer_ethereum"):
            call_command(*approve)
    call_command(*approve)
    call_command(*approve, "--revoke")  # taken back in time
    simulated.tick()
    assert not payout.attempts.exists()
    call_command(*approve)
    simulated.tick()

    payout.refresh_from_db()
    assert payout.attempts.count() == 1
