"""`manage.py demo_miner`: mines the local chains and keeps the customer and the house in play money until stopped."""

import logging
import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError
from django.db import close_old_connections

from core import clock
from demo.funding import fund_ethereum, fund_litecoin
from demo.nodes import NotPlayMoney, open_play
from wallets.chains.protocol import ChainError
from wallets.chains.rpc import RPCError

logger = logging.getLogger(__name__)

FUND: dict[str, Callable[..., bool]] = {"litecoin": fund_litecoin, "ethereum": fund_ethereum}
FUND_EVERY = 20  # blocks


class Command(BaseCommand):
    help = "Mine a block on each local chain every few seconds and fund the demo's house. Runs until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--every", type=int, default=settings.DEMO_BLOCK_SECONDS, help="seconds between blocks")
        parser.add_argument("--blocks", type=int, default=0, help="stop after so many blocks (0: never)")
        parser.add_argument("--wait", type=int, default=120, help="seconds to wait for the nodes' first answer")

    def handle(self, *, every: int, blocks: int, wait: int, **_: Any) -> None:
        """Mine until SIGTERM. A node that goes away later is tried again at each block.

        Raises: CommandError in SITE_MODE=live, on a chain not made for play, and when a node never answers.
        """
        if settings.SITE_MODE != "demo":
            raise CommandError("SITE_MODE is live: play money is mined for the demo alone.")
        stop = _stop_on_signals()
        miners = [_Miner(network, give_up_at=time.monotonic() + wait) for network in FUND]
        done = 0
        while not stop.is_set():
            for miner in miners:
                self._step(miner)
            done += 1
            if blocks and done >= blocks:
                return
            stop.wait(every)

    def _step(self, miner: "_Miner") -> None:
        try:
            miner.step(clock.now())
        except NotPlayMoney as error:
            raise CommandError(str(error)) from error
        except (ChainError, RPCError, DatabaseError) as error:
            logger.warning("demo_miner_waits chain=%s reason=%s", miner.network, error)
            miner.ready = False
            close_old_connections()
            if not miner.ever_mined and time.monotonic() > miner.give_up_at:
                raise CommandError(
                    f"the {miner.network} node does not work: {error}. "
                    f"Is it started, and is {miner.network.upper()}_RPC_URL its address?"
                ) from error


class _Miner:
    """One chain: prepared once (again after a failure), then a block a step."""

    def __init__(self, network: str, *, give_up_at: float) -> None:
        self.network, self.give_up_at = network, give_up_at
        self.ready, self.ever_mined, self.mined = False, False, 0

    def step(self, at: datetime) -> None:
        play = open_play(self.network)
        if not self.ready:
            play.prepare(at=at)
            self.ready, self.mined = True, 0
        if self.mined % FUND_EVERY == 0 and FUND[self.network](play, at=at):
            logger.info("demo_house_funded chain=%s", self.network)
        play.mine()
        self.mined += 1
        self.ever_mined = True


def _stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set: the block under way is finished, then the command ends."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
