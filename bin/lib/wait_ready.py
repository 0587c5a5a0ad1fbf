"""Returns once every part of a run does its work: nodes answer, each queue's work is done, the page is there."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import django

django.setup()

from core.heartbeat import is_silent, read_ages  # noqa: E402 -- after setup()
from core.http import HTTPClient, HTTPFailure  # noqa: E402 -- likewise
from core.networks import CHAINS  # noqa: E402 -- likewise

LIMIT_S = 90


def node_answers(name: str, method: str) -> bool:
    """Ask a node for its height."""
    port = os.environ[f"{name}_RPC_PORT"]
    client = HTTPClient(auth=("demo", "demo"))
    answer = client.post_json(f"http://127.0.0.1:{port}/", {"jsonrpc": "2.0", "id": 1, "method": method, "params": []})
    return answer.get("result") is not None


def workers_answer() -> bool:
    """Look at the heartbeats until every queue's work was done, and every signer waits for more."""
    ages = read_ages()
    wanted = ["default", *(f"{work}:{chain}" for chain in CHAINS for work in ("scan", "signer", "pay"))]
    return not any(is_silent(name, ages) for name in wanted)


def site_answers() -> bool:
    """Fetch the page a visitor sees first; anything but 200 raises."""
    return bool(HTTPClient().get_bytes(f"http://127.0.0.1:{os.environ['PORT']}/en/"))


CHECKS: dict[str, Callable[[], bool]] = {
    "litecoin node": lambda: node_answers("LITECOIN", "getblockcount"),
    "ethereum node": lambda: node_answers("ETHEREUM", "eth_blockNumber"),
    "workers": workers_answer,
    "site": site_answers,
}


def main(names: list[str]) -> int:
    """Wait for each check in turn, or for those named; print what is there; 1 when one does not come in time."""
    deadline = time.monotonic() + LIMIT_S
    for name in names or CHECKS:
        check = CHECKS[name]
        reason = "no answer"
        while True:
            try:
                if check():
                    break
            except (HTTPFailure, OSError) as error:
                reason = str(error)
            if time.monotonic() > deadline:
                print(f"  {name}: {reason} within {LIMIT_S} s", file=sys.stderr)
                return 1
            time.sleep(0.2)
        print(f"  {name:<28} answers", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
