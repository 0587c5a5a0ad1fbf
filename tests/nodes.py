"""Real coin nodes for tests: Litecoin Core on regtest and anvil, each on a free loopback port, in a folder of its own."""

import itertools
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address

from wallets.chains.core_rpc import CoreChain
from wallets.chains.protocol import ChainError
from wallets.chains.rpc import RPCClient, RPCError

ROOT = Path(__file__).parent.parent
LITECOIND = os.environ.get("LITECOIND", "/usr/lib/litecoin/litecoind")
ANVIL = os.environ.get("ANVIL", str(ROOT / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"))


# EVM code: send the call's value on to the address in the first argument; the other one takes it and then fails.
FORWARD = "600060006000600034600035" + "5af100"
# Call itself as often as the second argument says, then send the value on: a payment so many calls deep.
DEEP = "6000356000526001602035036020526020356024576000600060006000346000355a" + "f1005b600060006040600034305af100"
# Send the value on, then call nobody with 32 kB of nothing, a thousand times: 80 MB of traces for 250,000 gas.
NOISY = "600060006000600034600035" + "5af150" + "6103e8" + "5b" + "6000600061800060006000" + "61dead62ffffff" + "f150"
NOISY += "60019003" + "80" + "6012" + "57" + "00"
FORWARD_AND_FAIL = "600060006000600034600035" + "5af1" + "60006000fd"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Node:
    """A child process that answers JSON-RPC at `url`."""

    version = "2.0"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    url: str

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        log = (self.folder / "node.log").open("ab")
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, start_new_session=True)
        log.close()
        self.rpc = RPCClient(self.url, version=self.version)
        for _ in range(300):
            try:
                self.rpc.call(self.probe)
            except (ChainError, RPCError):
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"no answer; see {self.folder / 'node.log'}")

    probe: str

    def stop(self, sig: int = signal.SIGTERM) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait(timeout=60)
        self.process = None

    def restart(self, sig: int = signal.SIGTERM) -> None:
        self.stop(sig)
        self.start()

    def call(self, method: str, *params: Any) -> Any:
        return self.rpc.call(method, *params)


class LitecoinNode(Node):
    """Litecoin Core on regtest, with a wallet `customer` that has mature coins."""

    version = "1.0"
    probe = "getblockcount"
    # Without this the regtest chain stalls at height 431, where MWEB would begin.
    mweb = "-vbparams=mweb:4000000000:4100000000"

    @property
    def url(self) -> str:  # type: ignore[override]
        return f"http://test:test@127.0.0.1:{self.port}/"

    def command(self) -> list[str]:
        return [
            *(LITECOIND, "-regtest", f"-datadir={self.folder}", "-server", "-listen=0", "-connect=0"),
            *(f"-rpcport={self.port}", "-rpcuser=test", "-rpcpassword=test", "-fallbackfee=0.0002", "-keypool=20"),
            # Litecoin Core, unlike Bitcoin Core, does not replace by fee unless told so.
            *("-txindex=1", "-mempoolreplacement=1", self.mweb, "-printtoconsole=0"),
        ]

    def start(self) -> None:
        super().start()
        self.wallet = RPCClient(self.url + "wallet/customer", version="1.0")
        try:
            self.rpc.call("createwallet", "customer", False, False, "", False, False, True)
            self.miner = self.wallet.call("getnewaddress")
            self.mine(140)
        except RPCError:
            if "customer" not in self.rpc.call("listwallets"):
                self.rpc.call("loadwallet", "customer")
            self.miner = self.wallet.call("getnewaddress")

    def mine(self, blocks: int = 1, address: str | None = None) -> list[str]:
        return list(self.rpc.call("generatetoaddress", blocks, address or self.miner))

    def new_address(self) -> str:
        return str(self.wallet.call("getnewaddress", "", "bech32"))

    def send(self, address: str, minor: int) -> str:
        return str(self.wallet.call("sendtoaddress", address, f"{minor // 10**8}.{minor % 10**8:08d}"))

    def received(self, address: str) -> int:
        """Return what an address of any wallet received in blocks, in minor units."""
        return CoreChain("litecoin", self.url).balance([address])[address]

    def reorganise(self, depth: int, *, keep: bool = True) -> None:
        """Replace the last `depth` blocks by `depth` + 1 others; without `keep` their transactions are not mined again."""
        height = int(self.rpc.call("getblockcount"))
        self.rpc.call("invalidateblock", self.rpc.call("getblockhash", height - depth + 1))
        for _ in range(depth + 1):
            # To a new address each time: the same coinbase in the same second would be the same, invalidated block.
            if keep:
                self.mine(1, self.new_address())
            else:
                self.rpc.call("generateblock", self.new_address(), [])


class MwebNode(LitecoinNode):
    """Litecoin Core on regtest with MWEB alive, and a wallet `private` whose coins are all in it."""

    mweb = "-vbparams=mweb:1601450001:4100000000"

    def start(self) -> None:
        super().start()
        self.rpc.call("createwallet", "private")
        self.private = RPCClient(self.url + "wallet/private", version="1.0")
        self.mine(431 - int(self.rpc.call("getblockcount")))
        # Blocks go on from here only if something enters MWEB in the first one that has it.
        for _ in range(3):
            self.wallet.call("sendtoaddress", self.private.call("getnewaddress", "", "mweb"), "20")
        self.mine(1)

    def peg_out(self, address: str, minor: int) -> str:
        """Pay `address` out of MWEB; return the unmined transaction's id."""
        return str(self.private.call("sendtoaddress", address, f"{minor // 10**8}.{minor % 10**8:08d}"))


class EthereumNode(Node):
    """anvil; blocks are mined only when a test says so."""

    probe = "eth_blockNumber"
    # anvil's well-known development accounts; they hold more than all tests together spend, and sign what is asked.
    customer = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"

    @property
    def url(self) -> str:  # type: ignore[override]
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [
            *(ANVIL, "--port", str(self.port), "--host", "127.0.0.1", "--no-mining", "--slots-in-an-epoch", "1"),
            *("--chain-id", "31337", "--silent", "--order", "fifo", "--balance", "1000000000"),
        ]

    def start(self) -> None:
        super().start()
        self._targets = itertools.count(1)
        self.mine(1)

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.rpc.call("anvil_mine", "0x1")

    def new_address(self) -> str:
        return str(to_checksum_address(f"0x{next(self._targets):040x}".replace("0x0000", "0xfeed")))

    def send(self, address: str, minor: int) -> str:
        return str(self.rpc.call("eth_sendTransaction", {"from": self.customer, "to": address, "value": hex(minor)}))

    def deploy(self, runtime: str) -> str:
        """Put code on the chain, mine it, and return its address."""
        size = len(runtime) // 2
        copy_and_return = f"60{size:02x}600c60003960{size:02x}6000f3"
        code = {"from": self.customer, "data": "0x" + copy_and_return + runtime, "gas": "0x100000"}
        txid = self.rpc.call("eth_sendTransaction", code)
        self.mine(1)
        return str(to_checksum_address(self.rpc.call("eth_getTransactionReceipt", txid)["contractAddress"]))

    def call_contract(self, contract: str, argument: str, minor: int, *more: int) -> str:
        """Send value, one address and numbers to a contract, with gas enough."""
        data = "0x" + argument.removeprefix("0x").rjust(64, "0") + "".join(f"{number:064x}" for number in more)
        call = {"from": self.customer, "to": contract, "data": data, "value": hex(minor), "gas": "0x200000"}
        return str(self.rpc.call("eth_sendTransaction", call))

    def received(self, address: str) -> int:
        return int(self.rpc.call("eth_getBalance", address, "latest"), 16)

    def reorganise(self, depth: int, *, keep: bool = True) -> None:
        """Replace the last `depth` blocks by empty ones and one more; with `keep` their transactions are sent again."""
        height = int(self.rpc.call("eth_blockNumber"), 16)
        raws = []
        for number in range(height - depth + 1, height + 1):
            block = self.rpc.call("eth_getBlockByNumber", hex(number), False)
            raws += [self.rpc.call("eth_getRawTransactionByHash", txid) for txid in block["transactions"]]
        self.rpc.call("anvil_reorg", depth, [])
        if keep:
            for raw in raws:
                try:
                    self.rpc.call("eth_sendRawTransaction", raw)
                except RPCError:
                    continue  # anvil put it back into its pool itself
        self.mine(1)
