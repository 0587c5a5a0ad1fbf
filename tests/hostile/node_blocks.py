"""Blocks that a hostile customer gets mined: what consensus allows on litecoind, contracts of his own on anvil."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO

from embit.script import Script
from embit.transaction import Transaction, TransactionOutput

from tests.nodes import DEEP, FORWARD, FORWARD_AND_FAIL, NOISY, EthereumNode, LitecoinNode
from wallets.chains.signing import script_of

COIN = 10**8
ETHER = 10**18
SMALL = 10**6  # the least that the node makes with a script of ten thousand bytes
# The value of a script that pays nobody: bytes that no program of any version is, and programs that nobody has a key of.
ODD_SCRIPTS = (
    b"",
    b"\x6a" + b"\x04nada",  # OP_RETURN
    b"\x51",  # anybody may spend it
    b"\x21" + b"\x02" * 33 + b"\xac",  # a bare key
    b"\x51\x21" + b"\x02" * 33 + b"\x51\xae",  # bare multisig
    *(bytes([0x50 + version, 32]) + b"\x07" * 32 for version in (1, 2, 8, 9, 16)),  # witness programs of later versions
    b"\x00\x02\x01\x02",  # a witness program of no length
    b"\x4d\xff\xff" + b"\x00" * 9,  # announces more bytes than follow
    b"\x6a" + b"\x4d\x10\x27" + b"\x00" * 10_000,  # ten thousand bytes
)


@dataclass
class LitecoinMaker:
    """Makes blocks on litecoind that pay `ours`, in `outputs` outputs at most; `honest`: what ordinary customers paid."""

    node: LitecoinNode
    choose: random.Random
    ours: list[str]
    outputs: int
    honest: dict[str, int] = field(default_factory=dict)

    def mine(self) -> None:
        """Add a block with one oddity and an ordinary payment before and after it."""
        oddities: tuple[Callable[[], str], ...] = (self.many_outputs, self.one_output_each, self.odd_scripts)
        raws = [self.ordinary(), self.choose.choice(oddities)(), self.ordinary()]
        self.node.rpc.call("generateblock", self.node.miner, raws)
        self.node.wallet.call("lockunspent", True)

    def ordinary(self) -> str:
        minor = self.choose.randint(COIN // 100, COIN // 10)
        raw = self.sign([(script_of(self.choose.choice(self.ours)).data, minor)])
        txid = self.node.rpc.call("decoderawtransaction", raw)["txid"]
        self.honest[txid] = minor
        return raw

    def many_outputs(self) -> str:
        """As many payments to one order as fit, each far below what executes."""
        script = script_of(self.choose.choice(self.ours)).data
        return self.sign([(script, SMALL)] * self.outputs)

    def one_output_each(self) -> str:
        """Every order of ours among outputs of nobody's."""
        scripts = [script_of(address).data for address in self.ours]
        return self.sign([(self.choose.choice([*scripts, *ODD_SCRIPTS[:-1]]), SMALL) for _ in range(self.outputs)])

    def odd_scripts(self) -> str:
        return self.sign([(script, SMALL) for script in ODD_SCRIPTS])

    def sign(self, outputs: list[tuple[bytes, int]]) -> str:
        """Fund a transaction with these outputs from the customer's coins, keep its inputs from the others, and sign it."""
        bare = Transaction(vin=[], vout=[TransactionOutput(minor, Script(script)) for script, minor in outputs])
        options = {"lockUnspents": True, "feeRate": "0.0005", "changePosition": len(outputs)}
        funded = self.node.wallet.call("fundrawtransaction", bare.serialize().hex(), options, False)
        signed = self.node.wallet.call("signrawtransactionwithwallet", funded["hex"])
        made = Transaction.read_from(BytesIO(bytes.fromhex(signed["hex"])))
        assert signed["complete"]
        assert len(made.vout) == len(outputs) + 1
        return str(signed["hex"])


@dataclass
class EthereumMaker:
    """Makes blocks on anvil through contracts that pay `ours`."""

    node: EthereumNode
    choose: random.Random
    ours: list[str]
    honest: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        codes = {"deep": DEEP, "noisy": NOISY, "forward": FORWARD, "fail": FORWARD_AND_FAIL}
        self.contracts = {name: self.node.deploy(code) for name, code in codes.items()}

    def mine(self) -> None:
        """Add a block with one oddity and an ordinary payment before and after it."""
        self.ordinary()
        name, *more = self.choose.choice((("deep", self.choose.randint(2, 60)), ("noisy",), ("fail",)))
        self.node.call_contract(
            self.contracts[str(name)], self.choose.choice(self.ours), ETHER // 1000, *map(int, more)
        )
        self.ordinary()
        self.inner()
        self.node.mine(1)

    def ordinary(self) -> None:
        wei = self.choose.randint(ETHER // 1000, ETHER // 100)
        self.honest[self.node.send(self.choose.choice(self.ours), wei)] = wei

    def inner(self) -> None:
        """A customer whose wallet is a contract: the payment leaves no log."""
        wei = self.choose.randint(ETHER // 1000, ETHER // 100)
        self.honest[self.node.call_contract(self.contracts["forward"], self.choose.choice(self.ours), wei)] = wei
