"""`manage.py demo_swaps`: what bin/demo runs. Uses a running site as customers would and proves what came of it."""

import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from demo.customers import SiteRefused
from demo.nodes import NotPlayMoney
from demo.swaps import Demo, DemoFailed
from ledger.balances import find_imbalances
from wallets.chains.protocol import ChainError
from wallets.chains.rpc import RPCError

SCENES: tuple[tuple[str, Callable[[Demo], None]], ...] = (
    ("Send LTC, get ETH", lambda demo: demo.swap("ETHLTC", "send", "1.5")),
    ("Send ETH, get exactly 0.8 LTC", lambda demo: demo.swap("LTCETH", "get", "0.8")),
    ("Pay too little, have it sent back", lambda demo: demo.underpayment("ETHLTC", "1")),
    ("Two swaps at once", lambda demo: demo.at_once("LTCETH", ("0.03", "0.05"))),
)


class Command(BaseCommand):
    help = "Swap both ways, be refunded, swap twice at once; fail when promised, paid and booked differ by one unit."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("site", help="the running site, for example http://localhost:8000")

    def handle(self, *, site: str, **_: Any) -> None:
        if settings.SITE_MODE != "demo":
            raise CommandError("SITE_MODE is live: this plays with play money alone.")
        began = time.monotonic()
        demo = Demo(site=site, say=self._say)
        try:
            demo.wait_until_open()
            for number, (title, play) in enumerate(SCENES, start=1):
                self._say(f"{number}/{len(SCENES)}  {title}")
                play(demo)
        except (DemoFailed, SiteRefused) as error:
            raise CommandError(str(error)) from error
        except (ChainError, RPCError, NotPlayMoney) as error:
            raise CommandError(f"a coin node: {error}") from error
        if problems := find_imbalances():
            raise CommandError("the books contradict themselves: " + "; ".join(problems))
        self._say(
            f"demo: {demo.orders} orders, all promised = paid on chain = booked; the books balance "
            f"({time.monotonic() - began:.0f} s)"
        )

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
