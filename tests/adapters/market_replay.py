"""A loopback server that answers as the venues do: files in their published shape, or with given prices and time.

The files under recorded/ follow each exchange's published documentation of November 2026; the numbers in them are
made up to agree with each other.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

RECORDED = Path(__file__).parent / "recorded"
RECORDED_AT = datetime(2026, 11, 23, 3, 0, 6, tzinfo=UTC)  # a second after the times in the files
VENUES = ("kraken", "coinbase", "bitstamp", "binance")
Prices = Mapping[str, tuple[str, str]]  # market: bid, ask
KRAKEN = {"XXBTZUSD": "BTC-USD", "XETHZUSD": "ETH-USD", "XLTCZUSD": "LTC-USD", "USDTZUSD": "USDT-USD"}


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_text())


class MarketReplay:
    """`bodies[venue]` is sent as it stands; otherwise `prices[venue]` in that venue's shape, true at `at`."""

    def __init__(self) -> None:
        self.at = RECORDED_AT
        self.prices: dict[str, Prices] = {}
        self.bodies: dict[str, bytes] = {}
        self.statuses: dict[str, int] = {}
        self.delays_s: dict[str, int] = {}
        self.requests: list[str] = []
        self.turn = 0  # part of Kraken's volume, so that its answer changes with every turn
        self.url = ""

    def urls(self) -> dict[str, str]:
        return {venue: f"{self.url}/{venue}" for venue in VENUES}

    def set_prices(self, prices: Prices, *, venues: tuple[str, ...] = VENUES) -> None:
        self.prices |= dict.fromkeys(venues, prices)

    def tick(self, at: datetime) -> None:
        """Let every venue's data be true at `at`, and Kraken's differ from before."""
        self.at, self.turn = at, self.turn + 1

    def answer(self, path: str) -> tuple[int, bytes]:
        self.requests.append(path)
        parts = urlsplit(path)
        _, venue, rest = parts.path.split("/", 2)
        time.sleep(self.delays_s.get(venue, 0))
        status = self.statuses.get(venue, 200)
        if venue in self.bodies:
            return status, self.bodies[venue]
        return status, json.dumps(getattr(self, f"_{venue}")(rest, parse_qs(parts.query))).encode()

    def _kraken(self, rest: str, query: dict[str, list[str]]) -> Any:
        assert rest == "0/public/Ticker"
        answer = recorded("kraken_ticker.json")
        known = answer["result"]
        if not set(query["pair"][0].split(",")) <= set(known):
            return recorded("kraken_unknown_pair.json")
        answer["result"] = {symbol: known[symbol] for symbol in query["pair"][0].split(",")}
        for symbol, ticker in answer["result"].items():
            bid, ask = self.prices["kraken"][KRAKEN[symbol]]
            ticker["b"][0], ticker["a"][0] = bid, ask
            ticker["v"][0] = f"{8000 + self.turn}.12000000"
        return answer

    def _coinbase(self, rest: str, _: dict[str, list[str]]) -> Any:
        _, product, last = rest.split("/")
        assert last == "ticker"
        bid, ask = self.prices["coinbase"][product]
        stamp = self.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return recorded("coinbase_ticker.json") | {"bid": bid, "ask": ask, "time": stamp}

    def _bitstamp(self, rest: str, _: dict[str, list[str]]) -> Any:
        pair = rest.removeprefix("api/v2/ticker/").rstrip("/")
        bid, ask = self.prices["bitstamp"][f"{pair.removesuffix('usd').upper()}-USD"]
        return recorded("bitstamp_ticker.json") | {"bid": bid, "ask": ask, "timestamp": str(int(self.at.timestamp()))}

    def _binance(self, rest: str, query: dict[str, list[str]]) -> Any:
        assert rest == "api/v3/ticker/24hr"
        symbol = query["symbol"][0]
        bid, ask = self.prices["binance"][f"{symbol.removesuffix('USDT')}-USD"]
        close = int(self.at.timestamp()) * 1000
        return recorded("binance_24hr.json") | {"symbol": symbol, "bidPrice": bid, "askPrice": ask, "closeTime": close}


@contextmanager
def run_replay() -> Iterator[MarketReplay]:
    """Serve a MarketReplay on a free loopback port for the length of the block."""
    replay = MarketReplay()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = replay.answer(self.path)
            head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            # Head and body in one write: two cost 40 ms each through delayed acknowledgement.
            try:
                self.wfile.write(head.encode() + body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client had enough: a time-out or too large an answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    replay.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 1 / 50}, daemon=True).start()
    try:
        yield replay
    finally:
        server.shutdown()
        server.server_close()
