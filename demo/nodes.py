"""The demo's local nodes: play money that anyone may mine. Refuses every chain that is not made for play."""

import secrets
from datetime import datetime
from typing import Any

from django.conf import settings

from core.assets import get_asset
from core.money import Money
from wallets.chains.protocol import ChainError
from wallets.chains.rpc import RPCClient, RPCError

CUSTOMER = "customer"  # the node's own wallet, never the exchange's
ANVIL_CHAIN_ID = 31337
MATURE_AT = 110  # blocks until the first mined coins can be spent, and a few more


class NotPlayMoney(Exception):
    """The configured node is not a local test chain: the demo must not touch it."""


class LitecoinPlay:
    """Litecoin Core in regtest with the customer's wallet. Raises ChainError when it cannot be reached."""

    def __init__(self) -> None:
        url = settings.CHAIN_RPC_URLS["litecoin"]
        self._node = RPCClient(url, version="1.0")
        self._wallet = RPCClient(f"{url.rstrip('/')}/wallet/{CUSTOMER}", version="1.0")

    def check(self) -> None:
        """Raises: NotPlayMoney."""
        if self._node.call("getblockchaininfo")["chain"] != "regtest":
            raise NotPlayMoney("the Litecoin node is not a regtest node")

    def prepare(self, *, at: datetime) -> None:
        """Make or load the customer's wallet and let it own coins. Safe to repeat."""
        if CUSTOMER not in self._node.call("listwallets"):
            try:
                self._node.call("createwallet", CUSTOMER, False, False, "", False, False, True)
            except RPCError:  # it exists and was not loaded
                self._node.call("loadwallet", CUSTOMER)
        missing = MATURE_AT - int(self._node.call("getblockcount"))
        if missing > 0:
            self._node.call("generatetoaddress", missing, self._wallet.call("getnewaddress", "", "bech32"))

    def mine(self) -> None:
        """Add one block."""
        self._node.call("generatetoaddress", 1, self._wallet.call("getnewaddress", "", "bech32"))

    def send(self, address: str, amount: Money) -> str:
        """Pay from the customer's wallet and return the transaction id."""
        return str(self._wallet.call("sendtoaddress", address, amount.format()))

    def new_address(self) -> str:
        """Return an address of the customer's, to receive at."""
        return str(self._wallet.call("getnewaddress", "", "bech32"))

    fresh_address = new_address

    def received(self, address: str) -> int:
        """Return what an address of the customer's got in blocks, in litoshi, as the node counts it."""
        return Money.parse(self._wallet.call("getreceivedbyaddress", address, 1), get_asset("LTC")).minor


class EthereumPlay:
    """anvil with its development accounts: 0 is the mint, 1 the customer. Raises ChainError when it cannot be reached."""

    MINT, CUSTOMER = 0, 1

    def __init__(self) -> None:
        self._node = RPCClient(settings.CHAIN_RPC_URLS["ethereum"], version="2.0")

    def check(self) -> None:
        """Raises: NotPlayMoney."""
        if int(self._node.call("eth_chainId"), 16) != ANVIL_CHAIN_ID:
            raise NotPlayMoney("the Ethereum node is not a local development chain")

    def prepare(self, *, at: datetime) -> None:
        """Mine when told to and not at each transaction, so that waiting looks like waiting, at the time it is.

        A node that was away would otherwise go on from the time of its last block, and its chain look dead.
        """
        self._node.call("evm_setAutomine", False)
        self._node.call("evm_setTime", int(at.timestamp()))

    def mine(self) -> None:
        """Add one block."""
        self._node.call("evm_mine")

    def send(self, address: str, amount: Money) -> str:
        """Pay from the customer's account and return the transaction id."""
        return self.send_from(self.CUSTOMER, address, amount.minor)

    def send_from(self, account: int, address: str, wei: int) -> str:
        """Pay from one of the development accounts."""
        sender = self._node.call("eth_accounts")[account]
        return str(self._node.call("eth_sendTransaction", {"from": sender, "to": address, "value": hex(wei)}))

    def new_address(self) -> str:
        """Return the customer's address, to receive at, in its checksummed form."""
        from eth_utils.address import to_checksum_address  # noqa: PLC0415 -- takes a second, and only the demo pays

        return str(to_checksum_address(self._node.call("eth_accounts")[self.CUSTOMER]))

    def fresh_address(self) -> str:
        """Return an address that nobody ever used (and whose key nobody has): what arrives there is one payment."""
        from eth_utils.address import to_checksum_address  # noqa: PLC0415 -- as above

        return str(to_checksum_address("0x" + secrets.token_hex(20)))

    def received(self, address: str) -> int:
        """Return what an address holds in blocks, in wei, as the node counts it."""
        return int(self._node.call("eth_getBalance", address, "latest"), 16)


def open_play(network: str) -> Any:
    """Return the play chain of a network, checked. Raises: NotPlayMoney, ChainError."""
    plays: dict[str, type[LitecoinPlay | EthereumPlay]] = {"litecoin": LitecoinPlay, "ethereum": EthereumPlay}
    play = plays[network]()
    try:
        play.check()
    except RPCError as error:
        raise ChainError(str(error)) from error
    return play
