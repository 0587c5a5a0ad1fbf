"""Gives the demo's exchange coins to pay out: sent to its own addresses on the local chains, found by its own scan."""

from datetime import datetime

from core.assets import get_asset
from core.money import Money
from demo.nodes import EthereumPlay, LitecoinPlay
from wallets.addresses import house_address
from wallets.node_pool import get_node

# Several coins of Litecoin, so that several payouts can be signed before one of them is mined.
LITECOIN_COINS, LITECOIN_EACH_MINOR, LITECOIN_LEAST_MINOR = 10, 30 * 10**8, 60 * 10**8
ETHEREUM_WEI, ETHEREUM_LEAST_WEI = 50 * 10**18, 5 * 10**18


def fund_litecoin(play: LitecoinPlay, *, at: datetime) -> bool:
    """Fill up the house's Litecoin when it runs low; return whether coins were sent."""
    address = house_address(chain="litecoin", at=at).address
    if get_node("litecoin").balance([address]).get(address, 0) >= LITECOIN_LEAST_MINOR:
        return False
    amount = Money(LITECOIN_EACH_MINOR, get_asset("LTC"))
    for _coin in range(LITECOIN_COINS):
        play.send(address, amount)
    return True


def fund_ethereum(play: EthereumPlay, *, at: datetime) -> bool:
    """Fill up the house's Ether when it runs low; return whether coins were sent."""
    address = house_address(chain="ethereum", at=at).address
    if get_node("ethereum").balance([address]).get(address, 0) >= ETHEREUM_LEAST_WEI:
        return False
    play.send_from(play.MINT, address, ETHEREUM_WEI)
    return True
