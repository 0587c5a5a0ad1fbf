"""One surface over four chains: the two fakes and the two real nodes, with a wallet of our own keys on each."""

import itertools
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from embit.bip32 import HDKey

from core.http import HTTPClient
from tests.nodes import FORWARD, FORWARD_AND_FAIL, EthereumNode, LitecoinNode, free_port
from wallets.chains.derivation import derive_address, derive_key
from wallets.chains.fake import FakeChain
from wallets.chains.protocol import Chain, Unspent
from wallets.chains.registry import open_chain
from wallets.chains.signing import build_and_sign_evm, build_and_sign_utxo

COIN = {"litecoin": 10**8, "ethereum": 10**18}


@dataclass
class Net:
    """A chain under test: the adapter, and what happens on the chain around it."""

    code: str
    driver: Any  # FakeChain or a node of tests.nodes: mine(), send(), reorganise()
    chain: Any
    is_fake: bool
    account: str = field(default_factory=lambda: HDKey.from_seed(secrets.token_bytes(32)).to_base58())
    index: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def coin(self) -> int:
        return COIN[self.code]

    def new_address(self) -> str:
        public = HDKey.from_string(self.account).to_public().to_base58()
        return derive_address(self.code, "regtest", public, 0, next(self.index))

    def calls(self) -> int:
        if self.is_fake:
            return int(self.chain.calls)
        return int(self.chain.rpc.calls + (self.chain.tracer.calls if self.chain.has_nonces else 0))

    def unreachable(self) -> Chain:
        """Return an adapter whose node does not answer."""
        if self.is_fake:
            dead = FakeChain(self.code)
            dead.down = True
            return dead
        return open_chain(self.code, f"http://127.0.0.1:{free_port()}/")

    def deaf(self) -> Chain:
        """Return an adapter whose next broadcast is taken by the node, but whose answer never arrives."""
        if self.is_fake:
            self.chain.lose_answers = 1
            return self.chain
        return open_chain(self.code, lossy_proxy(self.driver.url))

    def send_internal(self, address: str, minor: int) -> str:
        if self.is_fake:
            return str(self.driver.send_internal(address, minor))
        return str(self.driver.call_contract(self.driver.deploy(FORWARD), address, minor))

    def send_failing(self, address: str, minor: int) -> str:
        """Send value that arrives and is taken back again, because the transaction fails."""
        if self.is_fake:
            txid = self.driver.send_internal(address, minor)
            self.driver.fail(txid)
            return str(txid)
        return str(self.driver.call_contract(self.driver.deploy(FORWARD_AND_FAIL), address, minor))

    def fund(self) -> "Purse":
        """Give five coins to a key of ours, mined."""
        public = HDKey.from_string(self.account).to_public().to_base58()
        index = next(self.index)
        address = derive_address(self.code, "regtest", public, 1, index)
        self.driver.send(address, 5 * self.coin)
        self.driver.mine(1)
        unspent = self.chain.list_unspent([address])
        nonce = self.chain.next_nonce(address)
        return Purse(self, index, address, unspent[0] if unspent else None, nonce)


@dataclass
class Purse:
    """One coin (or one nonce) of ours: everything signed here conflicts with everything else signed here."""

    net: Net
    index: int
    address: str
    unspent: Unspent | None
    nonce: int

    def sign(self, to: str, minor: int, *, bid: int = 1) -> tuple[str, str]:
        """Return raw bytes and id; a higher `bid` pays a multiple of the fee."""
        if self.unspent is None:
            key = derive_key(self.net.account, 1, self.index)
            fee = bid * 3 * 10**9
            return build_and_sign_evm(self.net.chain.chain_id, self.nonce, to, minor, 21_000, fee, fee, key)
        coin = self.unspent
        inputs = [(coin.txid, coin.vout, coin.minor, 1, self.index)]
        outputs = [(to, minor), (self.address, coin.minor - minor - bid * 5000)]
        return build_and_sign_utxo(inputs, outputs, self.net.account)[:2]


def lossy_proxy(url: str) -> str:
    """Serve a proxy to a node that hangs up after a broadcast was passed on, once; return its address."""
    parts = urlsplit(url)
    client = HTTPClient(auth=(parts.username, parts.password) if parts.username else None)
    target = f"http://127.0.0.1:{parts.port}/"
    lost: list[bool] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = json.dumps(client.post_json(target, json.loads(body)), default=str).encode()
            if b"sendrawtransaction" in body.lower() and not lost:
                lost.append(True)
                self.close_connection = True
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    Thread(target=server.serve_forever, daemon=True).start()
    _proxies.append(server)
    return f"http://127.0.0.1:{server.server_port}/"


_proxies: list[ThreadingHTTPServer] = []
REAL: dict[str, type[LitecoinNode] | type[EthereumNode]] = {"litecoin": LitecoinNode, "ethereum": EthereumNode}


def _net(code: str, kind: str, request: pytest.FixtureRequest) -> Net:
    if kind == "fake":
        fake = FakeChain(code)
        fake.mine(3)
        return Net(code, fake, fake, is_fake=True)
    node = request.getfixturevalue(f"{code}_node")
    return Net(code, node, open_chain(code, node.url), is_fake=False)


def _kinds(*codes: str) -> list[Any]:
    fakes = [pytest.param((code, "fake"), id=f"fake-{code}") for code in codes]
    return fakes + [pytest.param((code, "node"), id=f"node-{code}", marks=pytest.mark.node) for code in codes]


@pytest.fixture(params=_kinds("litecoin", "ethereum"))
def net(request: pytest.FixtureRequest) -> Iterator[Net]:
    """Every chain in turn."""
    yield _net(*request.param, request)
    while _proxies:
        server = _proxies.pop()
        server.shutdown()
        server.server_close()


@pytest.fixture(params=_kinds("litecoin"))
def coin_net(request: pytest.FixtureRequest) -> Net:
    """The chains whose coins are outputs."""
    return _net(*request.param, request)


@pytest.fixture(params=_kinds("ethereum"))
def account_net(request: pytest.FixtureRequest) -> Net:
    """The chains whose coins are balances of accounts."""
    return _net(*request.param, request)
