"""wallets.paying.cases, orders.again: for every payout that went wrong there is a move, seen beforehand and proven."""

from collections.abc import Callable
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import override_settings

from core.database_roles import role_name
from orders import states
from orders.models import Order
from tests.simulated import SimulatedExchange
from tests.wallets.test_stuck_payouts import check_paid_once, payout_of, settle, want_payout
from wallets import states as wallet_states
from wallets.addresses import HOUSE
from wallets.chains.derivation import derive_key
from wallets.chains.signing import build_and_sign_evm, build_and_sign_utxo, read_signed_evm
from wallets.freeze import unfreeze
from wallets.models import Coin, CoinHold, Deposit, Evidence, Freeze, Payout
from wallets.paying import cases
from wallets.paying.cases import MOVES
from wallets.send import send_due_attempts
from wallets.signer.keys import _keys


@pytest.fixture
def payout_command(simulated: SimulatedExchange, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run `manage.py payout` against the simulated nodes as RUNBOOK.md has it: as the role operator, without keys or signer."""
    operator = role_name(str(settings.DATABASES["owner"]["USER"]), "operator")
    monkeypatch.setattr("orders.management.commands.payout.get_node", simulated.client_of)

    def run(*arguments: str) -> str:
        out = StringIO()
        with connection.cursor() as cursor, override_settings(KEY_FILE="", SIGNER_SOCKET=""):
            cursor.execute(f'SET ROLE "{operator}"')
            try:
                call_command("payout", *arguments, stdout=out)
            finally:
                cursor.execute("RESET ROLE")
        return out.getvalue()

    return run


def test_every_state_has_a_move_unless_it_is_over() -> None:
    """The table that a person reads and the table of states say the same, so no state is a dead end."""
    assert set(MOVES) == set(wallet_states.PAYOUT.states)
    for state in wallet_states.PAYOUT.states:
        assert bool(MOVES[state]) == (state != wallet_states.CONFIRMED), state
    for state in (wallet_states.SIGNED, wallet_states.BROADCAST, wallet_states.IN_DOUBT):
        onward = wallet_states.PAYOUT.moves[state]
        assert {wallet_states.CONFIRMED, wallet_states.REVERTED, wallet_states.REQUESTED} <= onward, state


def steal_nonce(site: SimulatedExchange, payout: Payout, *, pay: bool) -> str:
    """Somebody else with our key uses the payout's nonce: to pay the debt all the same, or for something else."""
    attempt = payout.attempts.get()
    said = read_signed_evm(attempt.raw)
    key = derive_key(_keys(settings.KEY_FILE)["ethereum"]["account_private"], HOUSE, 0)
    target = payout.address if pay else site.ethereum.new_address()
    raw, txid = build_and_sign_evm(
        said.chain_id, said.nonce, target, payout.amount_minor, 21_000, 2 * said.max_fee, 2 * said.priority, key
    )
    site.ethereum.forget_mempool()
    assert site.ethereum._take(raw)
    site.ethereum.mine(1)
    return txid


def steal_coin(site: SimulatedExchange, payout: Payout, *, pay: bool) -> str:
    coins = [Coin.objects.select_related("address").get(txid=h.txid, vout=h.vout) for h in payout.coin_holds.all()]
    inputs = [(c.txid, c.vout, c.amount_minor, c.address.branch, c.address.index) for c in coins]
    target = payout.address if pay else site.litecoin.new_address()
    rest = sum(c.amount_minor for c in coins) - payout.amount_minor - 5000
    outputs = [(target, payout.amount_minor), (coins[0].address.address, rest)]
    raw, txid, _size = build_and_sign_utxo(inputs, outputs, _keys(settings.KEY_FILE)["litecoin"]["account_private"])
    site.litecoin.forget_mempool()
    assert site.litecoin._take(raw)
    site.litecoin.mine(1)
    return txid


STEAL = {"ethereum": steal_nonce, "litecoin": steal_coin}


def put_in_doubt(site: SimulatedExchange, chain: str, *, pay: bool) -> tuple[Order, Payout, str]:
    order = want_payout(site, chain)
    txid = STEAL[chain](site, payout_of(order), pay=pay)
    site.tick()
    payout = payout_of(order)
    assert payout.state == wallet_states.IN_DOUBT
    assert txid in payout.problem
    assert Freeze.objects.filter(scope=payout.asset_id, lifted_at=None).exists()
    return order, payout, txid


@pytest.mark.parametrize("chain", ["litecoin", "ethereum"])
def test_our_coin_or_nonce_used_elsewhere_not_for_this_debt(
    simulated: SimulatedExchange, payout_command: Callable[..., str], chain: str
) -> None:
    """FAULTS 34: IN_DOUBT for ever, its evidence overwritten."""
    simulated.fund(chain, 25 * 10 ** (8 if chain == "litecoin" else 18))
    order, payout, txid = put_in_doubt(simulated, chain, pay=False)
    send_due_attempts(node=simulated.client_of(chain), at=simulated.now() + simulated.offset)

    shown = payout_command(str(payout.pk))
    assert f"{txid} used its coin or nonce and does not pay it" in shown
    assert "can: again" in shown
    assert "can: paid-by" in shown
    with pytest.raises(CommandError, match="may still be mined"):  # one block is no proof yet
        payout_command(str(payout.pk), "--again", "--because", "it went elsewhere")
    with pytest.raises(CommandError, match="does not pay"):
        payout_command(str(payout.pk), "--paid-by", txid, "--because", "wrongly")
    assert payout_of(order).problem == payout.problem  # nothing that was sent meanwhile hides what was seen

    simulated.node_of(chain).mine(14)
    simulated.tick()
    payout_command(str(payout.pk), "--again", "--because", "it went elsewhere", "--by", "ann")
    assert payout_of(order).state == wallet_states.REQUESTED
    assert set(Evidence.objects.values_list("by", "code")) == {("machine", "used_elsewhere"), ("ann", "reopened")}
    unfreeze(scope=payout.asset_id, because="understood", at=simulated.now(), by="ann")
    simulated.tick()
    settle(simulated)
    assert simulated.reload(order).state == states.COMPLETED
    assert simulated.paid(order) == order.get_minor
    assert payout_of(order).attempts.count() == 2


@pytest.mark.parametrize("chain", ["litecoin", "ethereum"])
@pytest.mark.parametrize("depth", [1, 20])
def test_what_was_proven_dead_and_may_live_again_stops_the_asset(
    simulated: SimulatedExchange, payout_command: Callable[..., str], chain: str, depth: int
) -> None:
    node = simulated.node_of(chain)
    simulated.fund(chain, 25 * 10 ** (8 if chain == "litecoin" else 18))
    node.mine(20)
    _order, payout, _txid = put_in_doubt(simulated, chain, pay=False)
    node.mine(14)
    simulated.later(minutes=1)
    simulated.tick()
    payout_command(str(payout.pk), "--again", "--because", "it went elsewhere", "--by", "ann")
    unfreeze(scope=payout.asset_id, because="understood", at=simulated.now(), by="ann")
    simulated.tick()
    assert payout.attempts.count() == 2
    assert not Freeze.objects.filter(scope=payout.asset_id, lifted_at=None).exists()

    node.reorganise(depth, keep=False)
    simulated.scan(chain)

    dead = payout.attempts.get(n=1)
    open_ones = Freeze.objects.filter(scope=payout.asset_id, lifted_at=None, reason__contains=dead.txid)
    assert open_ones.exists() is (depth == 20)
    assert Evidence.objects.filter(payout=payout, code="reorganised").exists() is (depth == 20)


@pytest.mark.parametrize("chain", ["litecoin", "ethereum"])
def test_our_coin_or_nonce_used_elsewhere_for_this_very_debt(
    simulated: SimulatedExchange, payout_command: Callable[..., str], chain: str
) -> None:
    order, payout, txid = put_in_doubt(simulated, chain, pay=True)
    simulated.node_of(chain).mine(14)
    simulated.tick()
    assert f"{txid} used its coin or nonce and pays it" in payout_command(str(payout.pk))
    with pytest.raises(CommandError, match="pays this debt"):
        payout_command(str(payout.pk), "--again", "--because", "careless")

    payout_command(str(payout.pk), "--paid-by", txid, "--because", "seen on the chain")

    simulated.tick()
    assert payout_of(order).state == wallet_states.CONFIRMED
    assert payout_of(order).txid == txid
    check_paid_once(simulated, order)


def test_a_reverted_payout_is_asked_for_again(simulated: SimulatedExchange, payout_command: Callable[..., str]) -> None:
    """FAULTS 21: final while the customer was owed."""
    order = want_payout(simulated, "ethereum")
    payout = payout_of(order)
    simulated.ethereum.fail(payout.attempts.get().txid)
    simulated.ethereum.mine(14)
    simulated.tick()
    assert payout_of(order).state == wallet_states.REVERTED
    assert simulated.reload(order).next_actor == states.OPERATOR
    assert "can: again" in payout_command(str(payout.pk))

    said = payout_command(str(payout.pk), "--again", "--because", "the contract takes it now")

    assert f"{payout.purpose}/2" in said
    with pytest.raises(CommandError, match="payout_cannot_be_asked_again"):
        payout_command(str(payout.pk), "--again", "--because", "twice")
    assert simulated.reload(order).next_actor == states.MACHINE
    simulated.tick()
    settle(simulated)
    check_paid_once(simulated, order)


def test_in_doubt_and_mined_but_failed_does_not_stop_the_scan(simulated: SimulatedExchange) -> None:
    order = want_payout(simulated, "ethereum")
    payout = payout_of(order)
    Payout.objects.filter(pk=payout.pk).update(state=wallet_states.IN_DOUBT)
    simulated.ethereum.fail(payout.attempts.get().txid)
    simulated.ethereum.mine(14)

    simulated.scan("ethereum")

    assert payout_of(order).state == wallet_states.REVERTED


def test_a_reverted_payout_that_loses_its_block_pays_or_fails_anew(simulated: SimulatedExchange) -> None:
    order = want_payout(simulated, "ethereum")
    txid = payout_of(order).attempts.get().txid
    simulated.ethereum.fail(txid)
    simulated.ethereum.mine(3)
    simulated.scan("ethereum")
    assert payout_of(order).state == wallet_states.REVERTED

    simulated.ethereum.rules.failing.clear()
    simulated.ethereum.reorganise(4, keep=False)
    simulated.scan("ethereum")
    assert payout_of(order).state == wallet_states.BROADCAST
    settle(simulated)
    check_paid_once(simulated, order)


def test_evidence_is_only_added_to(simulated: SimulatedExchange) -> None:
    order = want_payout(simulated, "ethereum")
    line = Evidence.objects.create(payout=payout_of(order), at=simulated.now(), by="ann", code="seen", words="x")

    for change in ("UPDATE wallets_evidence SET words = 'y'", "DELETE FROM wallets_evidence"):
        with (
            pytest.raises(DatabaseError, match=r"refused|permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(change)
    line.refresh_from_db()
    assert line.words == "x"


def double_spend(site: SimulatedExchange, deposit: Deposit) -> str:
    """Take the blocks from a deposit on off the chain and let its payer spend the same coins for something else."""
    deep = site.litecoin.tip().height - int(deposit.block_height or 0) + 1
    site.litecoin.reorganise(deep, keep=False)
    site.litecoin.forget_mempool()
    claim, rate = site.litecoin._sent[deposit.txid]
    thief = site.litecoin._pay(site.litecoin.new_address(), deposit.amount_minor, claim, rate)
    site.litecoin.mine(1)
    site.scan("litecoin")
    return str(thief)


@pytest.mark.parametrize("confirmed", [False, True])
def test_what_a_double_spent_deposit_paid_for_is_signed_anew(
    simulated: SimulatedExchange, payout_command: Callable[..., str], *, confirmed: bool
) -> None:
    """FAULTS 34: a payout whose input never came to be was "on its way", outbid with the same dead coin.

    One that was confirmed before is owed again: that its reservation was closed once is no reason against it.
    """
    simulated.fund("litecoin", 10 * 10**8)
    order = want_payout(simulated, "litecoin")
    if confirmed:
        settle(simulated)
        assert simulated.reload(order).state == states.COMPLETED
    payout = payout_of(order)
    hold = CoinHold.objects.get(payout=payout)
    coin = Coin.objects.select_related("deposit").get(txid=hold.txid, vout=hold.vout)
    deposit = coin.deposit
    assert deposit is not None
    before = {hold.pk for hold in CoinHold.objects.all()}

    thief = double_spend(simulated, deposit)

    with pytest.raises(CommandError, match="may still be mined"):
        payout_command(str(payout.pk), "--again", "--because", "its coin is gone")
    simulated.litecoin.mine(8)
    simulated.scan("litecoin")
    payout_command(str(payout.pk), "--again", "--because", "its coin is gone")

    assert Evidence.objects.filter(payout=payout, code="double_spent", words__contains=thief).exists()
    assert payout_of(order).state == wallet_states.REQUESTED
    assert before == {hold.pk for hold in CoinHold.objects.all()}
    for freeze in Freeze.objects.filter(lifted_at=None):
        unfreeze(scope=freeze.scope, because="understood", at=simulated.now(), by="ann")
    simulated.fund("litecoin", 10 * 10**8)
    simulated.tick()
    settle(simulated)
    assert simulated.paid(order) == order.get_minor
    assert payout_of(order).reorg_count == int(confirmed)
    assert cases.MOVES[payout_of(order).state] == {}
