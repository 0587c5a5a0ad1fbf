"""A whole site of its own on the loopback, every part as bin/run starts it, whose parts a test may take away."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg2

from tests.nodes import free_port
from wallets.chains.protocol import ChainError
from wallets.chains.rpc import RPCClient, RPCError

ROOT = Path(__file__).parents[2]
CLUSTER = "outages"
PROCESSES = (  # of the Procfile: those that are ours
    "web",
    "beat",
    "worker",
    "worker_litecoin",
    "worker_ethereum",
    "signer_litecoin",
    "signer_ethereum",
)
READY_S = 120


class Site:
    """Starts everything at once and puts back what ended. `folder` holds what the run keeps and what its parts say."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="outages-"))  # a short path: sockets stand in it
        self.folder.chmod(0o755)
        for name in ("signer", "keys", "clock", "log", "run", "nodes"):
            (self.folder / name).mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.parts: dict[str, subprocess.Popen[bytes]] = {}
        self.commands = dict(re.findall(r"^(\w+): (.*)$", (ROOT / "Procfile").read_text(), re.MULTILINE))
        self.env = self._environment()

    def _environment(self) -> dict[str, str]:
        litecoin, ethereum = free_port(), free_port()
        env = {
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "PORT": str(self.port),
            "SITE_MODE": "demo",
            "DJANGO_SETTINGS_MODULE": "nexchange.settings_dev",
            "DEBUG": "false",
            "APP_DB_PASSWORD": "demo-only",
            "API_REQUESTS_PER_MINUTE": "60000",
            "PROMISES_PER_CLIENT": "1000",  # all customers call from this one machine
            "TICKER_MARKET": "demo",
            "DEMO_BLOCK_SECONDS": "2",
            "RUN_DIR": str(self.folder / "run"),
            "NODES_DIR": str(self.folder / "nodes"),
            "VENV": os.environ.get("VENV", str(ROOT / ".venv")),
            "LITECOIN_RPC_PORT": str(litecoin),
            "ETHEREUM_RPC_PORT": str(ethereum),
            "LITECOIN_RPC_URL": f"http://demo:demo@127.0.0.1:{litecoin}",
            "ETHEREUM_RPC_URL": f"http://127.0.0.1:{ethereum}",
            "RUN_KEYS_DIR": str(self.folder / "keys"),
            "RUN_SIGNER_DIR": str(self.folder / "signer"),
            "SIGNER_JOURNAL_DIR": str(self.folder / "signer"),
            "PAYOUT_JOURNAL": str(self.folder / "payouts.journal"),
            "REDIS_URL": f"unix://{self.folder}/redis.sock",
            "PYTHONPATH": f"{ROOT / 'tests/outages/clock'}:{ROOT}",
            "PYTHONUNBUFFERED": "1",
        }
        self.commands["redis"] = (
            f"exec redis-server --port 0 --unixsocket {self.folder}/redis.sock --save '' --appendonly no --dir {self.folder}"
        )
        return env

    def start(self) -> None:
        """Start everything, from an empty database. Waits for another run of this checkout, which has the same cluster."""
        self.lock = (ROOT / "var" / f"{CLUSTER}.lock").open("w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self._postgis("stop")
        (ROOT / "var" / f"postgis-{CLUSTER}.made").unlink(missing_ok=True)  # an earlier run's rows belong to its keys
        self.start_database()
        self.start_part("redis")
        self._manage("make_demo_keys", str(self.folder / "keys"))
        public = (self.folder / "keys" / "public.env").read_text()
        self.env |= dict(line.split("=", 1) for line in public.splitlines() if "=" in line)
        for part in ("litecoin", "ethereum"):
            self.start_part(part)
        self._manage("release")
        self.token = self._manage("offer", "--token", role="operator").strip()
        for part in (*PROCESSES, "miner"):
            self.start_part(part)

    def end(self) -> None:
        """End everything that this started, and throw away what it kept."""
        for part in [*self.parts]:
            self.kill_part(part)
        self._postgis("stop")
        self.lock.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_part(self, name: str) -> None:
        env = {**self.env, "OUTAGE_CLOCK": str(self.folder / "clock" / name)}
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            self.parts[name] = subprocess.Popen(
                ["bash", "-c", self.commands[name]], cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True
            )

    def signal_part(self, name: str, sig: signal.Signals) -> None:
        """Send a signal to a part and to all it has started."""
        os.killpg(self.parts[name].pid, sig)

    def kill_part(self, name: str, sig: signal.Signals = signal.SIGKILL) -> None:
        part = self.parts.pop(name)
        if part.poll() is None:
            os.killpg(part.pid, sig)
        part.wait(timeout=60)

    def set_clock(self, name: str, seconds: int) -> None:
        """Let a part's clock be wrong by so many seconds from now on."""
        file = self.folder / "clock" / name
        file.with_suffix(".new").write_text(str(seconds))
        file.with_suffix(".new").rename(file)

    def start_database(self) -> None:
        self._postgis("start")
        said = subprocess.run(["bin/postgis", "env", CLUSTER], cwd=ROOT, capture_output=True, text=True, check=True)
        self.env |= dict(line.split("=", 1) for line in said.stdout.split())

    def stop_database(self) -> None:
        self._postgis("stop")

    def _postgis(self, verb: str) -> None:
        subprocess.run(["bin/postgis", verb, CLUSTER], cwd=ROOT, check=True, stdin=subprocess.DEVNULL)

    def _manage(self, *words: str, role: str = "") -> str:
        command = [self.env["VENV"] + "/bin/python", "manage.py", *words]
        if role:
            command = ["bin/as", role, *command]
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(f"manage.py {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def reconcile(self) -> str:
        """Hold the books against both chains as an operator does. Raises: AssertionError with what is wrong."""
        return self._manage("reconcile", role="operator")

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the site's database, as its owner."""
        raw = psycopg2.connect(
            host=self.env["POSTGIS_PORT_5432_TCP_ADDR"],
            user=self.env["POSTGIS_ENV_POSTGRES_USER"],
            dbname=self.env["POSTGIS_ENV_POSTGRES_DB"],
        )
        try:
            with raw.cursor() as cursor:
                cursor.execute(query, values)
                return list(cursor.fetchall())
        finally:
            raw.close()

    def logs(self, last: int = 12) -> str:
        """Return the last lines that each part said."""
        said = []
        for file in sorted((self.folder / "log").iterdir()):
            said.append(f"--- {file.stem}")
            said += file.read_text(errors="replace").splitlines()[-last:]
        return "\n".join(said)


class Play:
    """The customers' coins on a site's nodes: pays, and counts what an address got."""

    def __init__(self, site: Site) -> None:
        self.litecoin = RPCClient(site.env["LITECOIN_RPC_URL"], version="1.0")
        self.wallet = RPCClient(site.env["LITECOIN_RPC_URL"] + "/wallet/customer", version="1.0")
        self.ethereum = RPCClient(site.env["ETHEREUM_RPC_URL"], version="2.0")
        self.fresh = 0

    def pay(self, chain: str, address: str, minor: int) -> None:
        """Send coins. Raises: ChainError, RPCError while the node is away."""
        if chain == "litecoin":
            self.wallet.call("sendtoaddress", address, f"{minor // 10**8}.{minor % 10**8:08d}")
            return
        sender = self.ethereum.call("eth_accounts")[1]
        self.ethereum.call("eth_sendTransaction", {"from": sender, "to": address, "value": hex(minor)})

    def new_address(self, chain: str) -> str:
        """Return an address that nobody was given before."""
        if chain == "litecoin":
            return str(self.wallet.call("getnewaddress", "", "bech32"))
        return "0x" + os.urandom(20).hex()

    def payments(self, chain: str, address: str) -> list[int]:
        """List every single payment to an address of `new_address`, the unmined ones too, in minor units."""
        if chain == "ethereum":
            held = int(self.ethereum.call("eth_getBalance", address, "latest"), 16)
            return [held] if held else []
        known = self.wallet.call("listtransactions", "*", 10_000)
        return [round(one["amount"] * 10**8) for one in known if one.get("address") == address]


def wait_until(happened: Any, seconds: float, what: str) -> float:
    """Wait until `happened()`; return after how many seconds it did. Raises: AssertionError."""
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        try:
            if happened():
                return time.monotonic() - began
        except (ChainError, RPCError, psycopg2.Error):
            pass  # what is waited for may be away
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")
