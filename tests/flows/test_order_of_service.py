"""Payouts that cannot be signed now do not hold up those behind them."""

from orders import states
from tests.flows.conftest import Exchange
from wallets import states as wallet_states
from wallets.freeze import freeze
from wallets.models import Deposit, Freeze, Payout
from wallets.sign import sign_payouts


def test_a_blocked_payout_goes_to_the_end_of_the_line(exchange: Exchange) -> None:
    orders = [exchange.open("LTCETH", "0.05").order for _ in range(2)]
    for order in orders:
        exchange.pay(order)
    freeze(scope="LTC", reason="hold everything", at=exchange.now(), by="test")
    exchange.ethereum.mine(4)
    exchange.tick()
    exchange.tick()
    assert {p.state for p in Payout.objects.all()} == {wallet_states.REQUESTED}
    first, second = Payout.objects.order_by("pk")
    Deposit.objects.filter(pk__in=first.funded_by).update(
        state=wallet_states.SEEN
    )  # for a while it is not to be signed

    Freeze.objects.update(lifted_at=exchange.now())
    Payout.objects.update(tried_at=None)
    for _ in range(2):
        sign_payouts(node=exchange.client_of("litecoin"), at=exchange.now(), limit=1)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == (wallet_states.REQUESTED, wallet_states.SIGNED)
    assert first.problem
    Deposit.objects.filter(pk__in=first.funded_by).update(state=wallet_states.CONFIRMED)
    exchange.settle()
    done = [order for order in orders if order.reference == second.owner_ref]
    assert exchange.reload(done[0]).state == states.COMPLETED
