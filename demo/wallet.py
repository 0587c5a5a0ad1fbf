"""The demo's customer: pays an order with play money, exactly or with one of the mistakes people make."""

from collections.abc import Callable

from core.money import Money
from demo.nodes import NotPlayMoney, open_play
from orders.models import Order
from wallets.chains.protocol import ChainError
from wallets.chains.rpc import RPCError


class WalletError(Exception):
    """The demo wallet could not pay; says why."""


def _share(money: Money, numerator: int, denominator: int) -> Money:
    step = money.asset.quote_step
    return Money(money.minor * numerator // denominator // step * step, money.asset)


HOW: dict[str, Callable[[Money], list[Money]]] = {
    "exact": lambda due: [due],
    "little": lambda due: [_share(due, 7, 10)],
    "much": lambda due: [_share(due, 13, 10)],
    "twice": lambda due: [due, due],
}


def pay_order(*, order: Order, how: str) -> list[str]:
    """Pay an order's deposit address as `how` (a key of HOW) says and return the transaction ids. Raises: WalletError."""
    due = Money(order.send_minor, order.send_asset)
    try:
        play = open_play(order.send_asset.network)
        return [play.send(order.deposit_address, amount) for amount in HOW[how](due)]
    except (ChainError, RPCError, NotPlayMoney, KeyError) as error:
        raise WalletError(str(error)) from error
