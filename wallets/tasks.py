"""A chain's turns: read it, sign what is asked for, send what is signed; each minute, outbid what is stuck.

Each is safe to run twice, on two machines, at once: the scan holds the chain's row for each block, signing the payout's,
sending claims each attempt.
"""

import logging
import time
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_ready

from core import clock
from core.database_clock import clock_is_right
from core.heartbeat import beat
from wallets import journal
from wallets.bump import bump_stuck_payouts
from wallets.chains.protocol import ChainError
from wallets.node_pool import get_node, known_mempool
from wallets.paying.again import follow_dead_ends
from wallets.paying.signing import can_sign
from wallets.safety.reconcile import NotScanned, reconcile_chain
from wallets.scan import scan_chain
from wallets.send import send_due_attempts
from wallets.sign import sign_payouts
from wallets.signer.keys import has_keys
from wallets.signer.room import publish_room

LONGEST_ROUND = timedelta(seconds=4)  # the scan waits meanwhile, and what is not read lately is not sold
RECONCILE_EVERY_S = 180
_reconcile_at: dict[str, int] = {}  # when this process does so next; paces it, decides nothing

log = logging.getLogger(__name__)


def scan(*, chain: str) -> None:
    """Read what is new on a chain; part of orders.tasks.follow_chain."""
    report = scan_chain(node=get_node(chain), at=clock.now(), known_mempool=known_mempool(chain))
    if report.problem:
        log.warning("scan of %s stopped: %s", chain, report.problem)
    if report.finished:
        beat(f"scan:{chain}")


def reconcile(*, chain: str) -> None:
    """Hold the books against a chain that was read a moment ago: when this process starts, then every few minutes."""
    if time.monotonic_ns() < _reconcile_at.get(chain, 0):
        return
    try:
        reconcile_chain(node=get_node(chain), at=clock.now(), full=False)
    except (NotScanned, ChainError) as error:
        log.info("not reconciled yet: %s", error)  # the next turn tries again
        return
    _reconcile_at[chain] = time.monotonic_ns() + RECONCILE_EVERY_S * 10**9


def pay(*, chain: str) -> None:
    """Sign and send the payouts of a chain; part of orders.tasks.follow_chain."""
    node = get_node(chain)
    started = clock.now()
    follow_dead_ends(node=node, at=started)
    while clock.now() - started < LONGEST_ROUND:
        # Few at a time: change can be spent again as soon as the transaction that makes it was sent.
        signed = sign_payouts(node=node, at=clock.now(), limit=25)
        send_due_attempts(node=node, at=clock.now())
        if not signed:
            break
    if has_keys():
        publish_room(chain)  # this process is the chain's signer, too
    if can_sign():
        beat(f"pay:{chain}")


@shared_task
def bump(*, chain: str, **_: Any) -> None:
    """Outbid our own stuck payouts."""
    if not clock_is_right():
        return
    bump_stuck_payouts(node=get_node(chain), at=clock.now())


@worker_ready.connect
def check_journal(**_: Any) -> None:
    """Freeze payouts before a worker pays anything when the payout journal is newer than the database."""
    if not journal.check_all(at=clock.now()):
        log.error("payouts are frozen: the payout journal names payments that the database does not know")
