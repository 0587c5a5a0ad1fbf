"""`manage.py demo_miner`: mines the local chains and keeps the customer and the house in play money until stopped."""

import logging
import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

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
        parser.add_argument("--every", type=int, default=4, help="seconds between blocks (4)")
        parser.add_argument("--blocks", type=int, default=0, help="stop after so many blocks (0: never)")

    def handle(self, *, every: int, blocks: int, **_: Any) -> None:
        """Mine; a node that is away is tried again at the next block. Raises: CommandError on a chain not for play."""
        miners = [_Miner(network) for network in FUND]
        done = 0
        while True:
            for miner in miners:
                try:
                    miner.step(clock.now())
                except NotPlayMoney as error:
                    raise CommandError(str(error)) from error
                except (ChainError, RPCError) as error:
                    logger.warning("demo_miner_waits chain=%s reason=%s", miner.network, error)
                    miner.ready = False
            done += 1
            if blocks and done >= blocks:
                return
            time.sleep(every)


class _Miner:
    """One chain: prepared once (again after a failure), then a block a step."""

    def __init__(self, network: str) -> None:
        self.network, self.ready, self.mined = network, False, 0

    def step(self, at: datetime) -> None:
        play = open_play(self.network)
        if not self.ready:
            play.prepare()
            self.ready, self.mined = True, 0
        if self.mined % FUND_EVERY == 0 and FUND[self.network](play, at=at):
            logger.info("demo_house_funded chain=%s", self.network)
        play.mine()
        self.mined += 1
